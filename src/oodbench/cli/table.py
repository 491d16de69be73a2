"""`oodbench-table`: the tables of all runs on disk."""

import argparse
import shutil
import sys

from oodbench.cli.arguments import add_run_arguments, add_version, print_problems
from oodbench.cli.table_choice import (
    add_choice,
    add_other_views,
    asked_of,
    format_asked,
    refuse_conflicts,
)
from oodbench.core.command import as_command, without_collection
from oodbench.core.errors import DataError
from oodbench.core.files import write_text
from oodbench.reports.comparisons.write import write_spread
from oodbench.reports.tables.show import asked_view, fits, shown_text
from oodbench.reports.tables.write import (
    Stored,
    Written,
    read_stored,
    rescore_all,
    write_attack_report,
    write_tables,
)

_EPILOG = """\
Without a choice the whole table is shown and its files are named. Examples:

  oodbench-table --models 'tf_*' --benchmarks 'imagenet_?' --sort IN-A
  oodbench-table --metric ece --best
  oodbench-table --by preprocessing --columns IN,IN-Sketch
  oodbench-table --against published
  oodbench-table --against resnet50 --format latex --best --out table.tex
  oodbench-table --spread preprocessing --format json
"""


@as_command("interrupted: the same command does it again")
def main(arguments: list[str] | None = None) -> int:
    """Write and print the tables.

    A result.json or error.json that is damaged or of a newer schema is named on stderr, also with
    --quiet, and the tables are made of the others: the exit code stays 0. So is a run whose records
    are damaged or incomplete; with --rescore its result stays as it is, and the exit code is 1.
    Tables that cannot be written are shown all the same; without --out the exit code is then 1.

    Args:
        arguments: command line without the program's name; `sys.argv` by default.

    Returns:
        Exit code: 0, or 1 after an error that the user can fix, such as no run at all, and where a
        run could not be rescored. Wrong arguments exit with 2, as argparse does.
    """
    chosen = argument_parser().parse_args(arguments)
    refuse_conflicts(chosen)
    left = rescore_all(chosen.output_root, chosen.allow_target) if chosen.rescore else []
    print_problems(left)
    with without_collection():
        stored = read_stored(chosen.output_root, chosen.normaliser)
        written = write_tables(chosen.output_root, stored=stored)
        print_problems(written.problems)
        shown = _shown(chosen, stored, written)
    print_problems(line for line in shown.problems if line not in written.problems)
    if written.unwritten:
        print_problems([f"the tables are not written: {written.unwritten}"])
    if chosen.out is not None:
        write_text(chosen.out, shown.text)
        shown = Written("", (chosen.out,), ())
    if not chosen.quiet:
        _print(shown)
    return 1 if left or (written.unwritten and chosen.out is None) else 0


def _shown(chosen: argparse.Namespace, stored: Stored, written: Written) -> Written:
    """What is printed, and the files that are named below it."""
    asked, format_name = asked_of(chosen), format_asked(chosen)
    if chosen.failed:
        return Written(written.failed, (), ())
    if chosen.attack_report:
        return write_attack_report(chosen.output_root)
    if chosen.spread:
        return write_spread(
            *(chosen.output_root, chosen.spread, format_name),
            lambda run: asked.has(run.model, run.benchmark),
        )
    is_whole = not asked.changed() and format_name is None
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    if is_whole and (fits(written.text, width) or not stored.results):
        return written
    if not stored.results:
        raise DataError(f"{len(stored.failures)} failed cells and no result: --failed lists them")
    problems: list[str] = []
    view = asked_view(stored, asked, problems)
    text = shown_text(view, format_name, width)
    return Written(text, written.files if is_whole else (), problems)


def _print(shown: Written) -> None:
    """The text as it is; a blank line before the names of files."""
    if shown.text:
        print(shown.text, end="" if shown.text.endswith("\n") else "\n")
    if shown.text.endswith("\n") and shown.files:
        print()
    for file in shown.files:
        print(file)


def argument_parser() -> argparse.ArgumentParser:
    """The options of the command, without parsing any."""
    parser = argparse.ArgumentParser(
        prog="oodbench-table",
        description="Tables of all runs on disk, beside published values. They are written below "
        "the output root, whatever is shown of them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    parser.add_argument("--quiet", action="store_true", help="print nothing")
    add_choice(parser)
    add_other_views(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
