"""`oodbench-report`: everything that finished runs say, as one page of HTML."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from oodbench.cli.arguments import add_run_arguments, add_version, print_problems
from oodbench.core.command import as_command, without_collection
from oodbench.core.errors import ConfigError
from oodbench.reports.page.report import write_report
from oodbench.reports.page.wording import bytes_text

_EPILOG = """\
The page needs no network and no other file. Examples:

  oodbench-report
  oodbench-report --output-root outputs/demo --out demo.html
  oodbench-report --figures figures    # each figure as SVG, PDF and PNG, its numbers as CSV
"""


@as_command("interrupted: the same command does it again")
def main(arguments: list[str] | None = None) -> int:
    """Write the report and print its path.

    Args:
        arguments: command line without the program's name; `sys.argv` by default.

    Returns:
        Exit code: 0, or 1 after an error that the user can fix, such as no run at all. Wrong
        arguments exit with 2, as argparse does.
    """
    chosen = argument_parser().parse_args(arguments)
    if chosen.out.is_dir():
        raise ConfigError(f"--out {chosen.out}: a folder; name a file in it")
    with without_collection():
        report = write_report(chosen.output_root, chosen.out, chosen.figures, chosen.normaliser)
    print_problems(report.problems)
    if not chosen.quiet:
        changed = "" if report.is_new else ", nothing has changed since it was written"
        print(f"{chosen.out}  {_size([report.page])}{changed}")
        if chosen.figures is not None:
            print(f"{chosen.figures}  {len(report.figures)} files, {_size(report.figures)}")
    return 0


def _size(files: Sequence[Path]) -> str:
    return bytes_text(sum(file.stat().st_size for file in files))


def argument_parser() -> argparse.ArgumentParser:
    """The options of the command, without parsing any."""
    parser = argparse.ArgumentParser(
        prog="oodbench-report",
        description="One page of HTML with all that finished runs say: the table, figures, how far "
        "choices move the numbers, costs, and where each number comes from.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(parser)
    add_run_arguments(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="the page (default: report.html)",
    )
    parser.add_argument(
        "--figures",
        type=Path,
        metavar="DIR",
        help="also write each figure there, as SVG, PDF and PNG, and its numbers as CSV",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
