"""`oodbench-table`: the tables of all runs on disk."""

import argparse
import sys

from oodbench.cli.arguments import add_run_arguments, add_version, print_problems
from oodbench.core.command import as_command, without_collection
from oodbench.reports.comparisons.words import VARIED
from oodbench.reports.comparisons.write import write_spread
from oodbench.reports.tables.write import (
    Written,
    rescore_all,
    write_attack_report,
    write_tables,
)


@as_command("interrupted: the same command does it again")
def main(arguments: list[str] | None = None) -> int:
    """Write and print the tables.

    A result.json or error.json that is damaged or of a newer schema is named on stderr, also with
    --quiet, and the tables are made of the others: the exit code stays 0. So is a run whose records
    are damaged or incomplete; with --rescore its result stays as it is, and the exit code is 1.

    Args:
        arguments: command line without the program's name; `sys.argv` by default.

    Returns:
        Exit code: 0, or 1 after an error that the user can fix, such as no run at all, and where a
        run could not be rescored. Wrong arguments exit with 2, as argparse does.
    """
    chosen = argument_parser().parse_args(arguments)
    with without_collection():
        return _make(chosen)


def _make(chosen: argparse.Namespace) -> int:
    """Write and print what was asked for."""
    left = rescore_all(chosen.output_root, chosen.allow_target) if chosen.rescore else []
    print_problems(left)
    written = write_tables(chosen.output_root, chosen.normaliser)
    print_problems(written.problems)
    shown = written
    if chosen.failed:
        shown = Written(written.failed, (), ())
    elif chosen.attack_report:
        shown = write_attack_report(chosen.output_root)
        print_problems([line for line in shown.problems if line not in written.problems])
    elif chosen.spread:
        shown = write_spread(chosen.output_root, chosen.spread)
        print_problems([line for line in shown.problems if line not in written.problems])
    if not chosen.quiet:
        print(shown.text)
        for file in shown.files:
            print(file)
    return 1 if left else 0


def argument_parser() -> argparse.ArgumentParser:
    """The options of the command, without parsing any."""
    parser = argparse.ArgumentParser(
        prog="oodbench-table", description="Tables of all runs on disk, beside published values."
    )
    add_version(parser)
    add_run_arguments(parser)
    parser.add_argument(
        "--rescore", action="store_true", help="first score all runs again from their records"
    )
    parser.add_argument(
        "--allow-target",
        action="append",
        default=[],
        metavar="DOTTED.NAME",
        help="with --rescore: a class or score of your own that results may name, exactly so; "
        "importing it runs its code (may be given several times)",
    )
    parser.add_argument(
        "--failed",
        action="store_true",
        help="show instead of the table the cells whose last attempt failed, and why",
    )
    parser.add_argument(
        "--attack-report",
        action="store_true",
        help="show instead of the table what the attacked runs say of their attacks: named checks "
        "(pass, warn, not checked) with the papers that they come from",
    )
    parser.add_argument(
        "--spread",
        choices=VARIED,
        help="show instead of the table how far the choice of a preprocessing, attack or engine "
        "moves each model's score on each benchmark, and which pictures change",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
