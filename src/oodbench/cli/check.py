"""`oodbench-check`: finished runs compared with what others measured."""

import argparse
import sys

from oodbench.cli.arguments import (
    add_json,
    add_run_arguments,
    add_version,
    print_json,
    print_problems,
)
from oodbench.core.command import as_command
from oodbench.reports.published.check import check_runs, content_of, text_of


@as_command("interrupted: the same command does it again")
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
    check = check_runs(chosen.output_root, chosen.normaliser)
    print_problems(check.problems)
    if chosen.json is not None:
        print_json(chosen.json, content_of(check))
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
    add_version(parser)
    add_run_arguments(parser)
    add_json(parser, "also write all comparisons there")
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
