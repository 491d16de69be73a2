"""`oodbench-check`: finished runs compared with what others measured."""

import argparse
import sys
from pathlib import Path

from oodbench.cli.arguments import add_run_arguments, print_problems
from oodbench.core.errors import OodbenchError
from oodbench.core.files import write_json
from oodbench.reports.published.check import check_runs, content_of, text_of


def main(arguments: list[str] | None = None) -> int:
    """Compare all finished runs with published, timm's, imagenet-testbed's and other values.

    Files of runs that cannot be used are named on stderr, as by `oodbench-table`.

    Args:
        arguments: command line without the program's name; `sys.argv` by default.

    Returns:
        Exit code: 0, or 1 where a difference is unexplained or after an error that the user can
        fix, such as no run at all. Wrong arguments exit with 2, as argparse does.
    """
    chosen = argument_parser().parse_args(arguments)
    try:
        check = check_runs(chosen.output_root, chosen.normaliser)
        print_problems(check.problems)
        if chosen.json is not None:
            write_json(chosen.json, content_of(check))
    except (OodbenchError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if not chosen.quiet:
        print(text_of(check, verbose=chosen.verbose))
    return 1 if check.count("unexplained") else 0


def argument_parser() -> argparse.ArgumentParser:
    """The options of the command, without parsing any."""
    parser = argparse.ArgumentParser(
        prog="oodbench-check",
        description="Finished runs beside the published table, timm's results, imagenet-testbed "
        "and the literature: pass, explained or unexplained. Exit code 1 on unexplained.",
    )
    add_run_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all comparisons here")
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("--quiet", action="store_true", help="print nothing")
    loudness.add_argument(
        "--verbose",
        action="store_true",
        help="reasons of rows that pass too, and the scores of which no source has a value",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
