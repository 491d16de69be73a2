"""`oodbench-errors`: the pictures that models get wrong, or that flip between two runs."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from oodbench.cli.arguments import (
    add_json,
    add_output_root,
    add_version,
    output_file,
    print_json,
    print_problems,
    print_text,
)
from oodbench.core.command import as_command
from oodbench.core.files import atomic_path, write_text
from oodbench.reports.mistakes.find import Mistakes, Wanted, check_class, flips, mistakes
from oodbench.reports.mistakes.gallery import gallery
from oodbench.reports.mistakes.rows import Listing, listings
from oodbench.reports.mistakes.sheet import contact_sheet
from oodbench.reports.mistakes.text import content_of, table_of, text_of

_EPILOG = """\
Without A, all finished runs; with A, the runs that it names; with A and B, the pictures that only
one of two runs gets right. A and B are as in oodbench-compare: a pattern of model names,
field=pattern pairs, a run's key, a run's folder, or a folder of outputs.

  oodbench-errors --benchmarks imagenet_a --top 50
  oodbench-errors resnet50 --class goldfish --html goldfish.html
  oodbench-errors resnet50 moco_v2 --benchmarks imagenet --sheet flips.png
  oodbench-errors preprocessing=published preprocessing=timm --csv flips.csv

Wrong is what the benchmark's headline counts. Files are named; --sheet and --html show them.
"""
_SIDES = (16, 512)
_MOST = 10_000


@as_command("interrupted: the same command does it again")
def main(arguments: list[str] | None = None) -> int:
    """Print the pictures, or write them to the files that are asked for.

    Args:
        arguments: command line without the program's name; `sys.argv` by default.

    Returns:
        Exit code: 0, or 1 after an error that the user can fix, such as no runs. Wrong arguments
        exit with 2, as argparse does.
    """
    chosen = argument_parser().parse_args(arguments)
    problems: list[str] = []
    listed = listings(_found(chosen, problems), chosen.data_root)
    print_problems(problems)
    _write(chosen, listed)
    if Path("-") not in (chosen.json, chosen.csv):
        print(text_of(listed))
    return 0


def argument_parser() -> argparse.ArgumentParser:
    """The options of the command, without parsing any."""
    parser = argparse.ArgumentParser(
        prog="oodbench-errors",
        description="The pictures that models get wrong, the most confident mistakes first, or "
        "those that flip between two runs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(parser)
    parser.add_argument("a", metavar="A", nargs="?", help="the runs (default: all)")
    parser.add_argument("b", metavar="B", nargs="?", help="what they are compared with")
    add_output_root(parser)
    for name in ("benchmarks", "models"):
        parser.add_argument(
            f"--{name}", default="*", metavar="PATTERN", help="only these (default: all)"
        )
    parser.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="only pictures of this class: a name, a synset id or an index",
    )
    parser.add_argument(
        "--top",
        type=_between(1, _MOST),
        default=20,
        metavar="N",
        help="so many pictures of each run (default: 20)",
    )
    parser.add_argument(
        "--data-root",
        type=Path,
        metavar="DIR",
        help="where the data sets are now (default: where each run read them)",
    )
    parser.add_argument(
        "--csv",
        type=output_file,
        metavar="FILE",
        help="write them there as CSV; - for standard output",
    )
    add_json(parser, "write them there as JSON")
    parser.add_argument(
        "--sheet", type=output_file, metavar="FILE", help="write a contact sheet, a PNG file"
    )
    parser.add_argument(
        "--html", type=output_file, metavar="FILE", help="write a page with the pictures in it"
    )
    parser.add_argument(
        "--size",
        type=_between(*_SIDES),
        default=160,
        metavar="PIXELS",
        help="longer side of the pictures on these (default: 160)",
    )
    return parser


def _between(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text}: give a number from {least} to {most}")
        return int(text)

    return number


def _found(chosen: argparse.Namespace, problems: list[str]) -> list[Mistakes]:
    if chosen.class_name is not None:
        check_class(chosen.class_name)
    wanted = Wanted(chosen.models, chosen.benchmarks, chosen.class_name, chosen.top)
    if chosen.b is None:
        return mistakes(chosen.a, chosen.output_root, wanted, problems)
    return flips(chosen.a, chosen.b, chosen.output_root, wanted, problems)


def _write(chosen: argparse.Namespace, listed: list[Listing]) -> None:
    if chosen.csv is not None:
        print_text(chosen.csv, table_of(listed))
    if chosen.json is not None:
        print_json(chosen.json, content_of(listed))
    if chosen.html is not None:
        write_text(chosen.html, gallery(listed, chosen.size, _asked(chosen)))
    if chosen.sheet is not None:
        _write_sheet(chosen, listed)


def _write_sheet(chosen: argparse.Namespace, listed: list[Listing]) -> None:
    if not any(one.rows for one in listed):
        print_problems([f"{chosen.sheet}: not written: no picture"])
        return
    sheet, n_left_out = contact_sheet(listed, chosen.size)
    with atomic_path(chosen.sheet) as part:
        sheet.save(part, "PNG")
    if n_left_out:
        print_problems(
            [f"{chosen.sheet}: {n_left_out} pictures left out: give a smaller --size or --top"]
        )


def _asked(chosen: argparse.Namespace) -> str:
    """What the page is about."""
    if chosen.b is not None:
        said = f"Pictures that only one of {chosen.a} and {chosen.b} gets right"
    else:
        said = f"Pictures that {chosen.a or 'models'} get{'s' if chosen.a else ''} wrong"
    return said if chosen.class_name is None else f"{said}: {chosen.class_name}"


if __name__ == "__main__":
    sys.exit(main())
