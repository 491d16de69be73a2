"""`oodbench-compare`: two sets of finished runs, picture by picture."""

import argparse
import sys
from pathlib import Path

from oodbench.cli.arguments import (
    add_json,
    add_output_root,
    add_version,
    print_json,
    print_problems,
)
from oodbench.core.command import as_command
from oodbench.reports.comparisons.compare import compare_runs
from oodbench.reports.comparisons.text import content_of, text_of

_EPILOG = """\
A and B are each a pattern of model names, field=pattern pairs, a run's key, a run's folder, or
a folder of outputs:

  oodbench-compare resnet50 'tf_efficientnet_b*'
  oodbench-compare preprocessing=published preprocessing=timm
  oodbench-compare model=resnet50,attack=pgd model=resnet50,attack=autoattack
  oodbench-compare outputs-before outputs-after

Runs are compared that are of the same benchmark and agree in everything that A and B leave open.
"""


@as_command("interrupted: the same command does it again")
def main(arguments: list[str] | None = None) -> int:
    """Print how the runs differ.

    Args:
        arguments: command line without the program's name; `sys.argv` by default.

    Returns:
        Exit code: 0, or 1 after an error that the user can fix, such as no runs to compare. Wrong
        arguments exit with 2, as argparse does.
    """
    chosen = argument_parser().parse_args(arguments)
    compared = compare_runs(chosen.a, chosen.b, chosen.output_root, chosen.benchmarks)
    print_problems(compared.problems)
    if chosen.json is not None:
        print_json(chosen.json, content_of(compared))
    if chosen.json != Path("-"):
        print(text_of(compared, chosen.flips))
    return 0


def argument_parser() -> argparse.ArgumentParser:
    """The options of the command, without parsing any."""
    parser = argparse.ArgumentParser(
        prog="oodbench-compare",
        description="How two models, preprocessings, attacks or folders of outputs differ on the "
        "same pictures: differences with intervals and p-values, classes and pictures that flip.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(parser)
    parser.add_argument("a", metavar="A", help="the first runs")
    parser.add_argument("b", metavar="B", help="the second runs")
    add_output_root(parser)
    parser.add_argument(
        "--benchmarks", default="*", metavar="PATTERN", help="only these (default: all)"
    )
    parser.add_argument(
        "--flips",
        type=int,
        default=0,
        metavar="N",
        help="also list the first N pictures of each comparison that only one side got right",
    )
    add_json(parser, "also write all comparisons there, with every picture that flips")
    return parser


if __name__ == "__main__":
    sys.exit(main())
