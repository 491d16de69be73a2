"""What the commands that read finished runs share."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options for where the runs are and what normalises ImageNet-P."""
    parser.add_argument(
        "--output-root",
        "--outputs",
        type=Path,
        default=Path("outputs"),
        metavar="DIR",
        help="where oodbench wrote its runs (default: outputs)",
    )
    parser.add_argument(
        "--normaliser",
        type=Path,
        metavar="FILE",
        help="CSV of AlexNet's scores on ImageNet-P (perturbation, flip_probability, "
        "top5_distance), for mFR; default: a run of the model alexnet there",
    )


def print_problems(problems: Iterable[str]) -> None:
    """Name the files of runs that could not be used on stderr, one line each."""
    for problem in problems:
        print(f"warning: {problem}", file=sys.stderr)
