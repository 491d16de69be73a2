"""What several commands share: arguments, and how they print."""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from oodbench.core.files import json_text, write_text
from oodbench.core.versions import version_text


def add_version(parser: argparse.ArgumentParser) -> None:
    """Declare `--version`."""
    parser.add_argument("--version", action="version", version=version_text())


def add_output_root(parser: argparse.ArgumentParser) -> None:
    """Declare `--output-root`."""
    parser.add_argument(
        "--output-root",
        "--outputs",
        type=Path,
        default=Path("outputs"),
        metavar="DIR",
        help="where oodbench wrote its runs (default: outputs)",
    )


def data_root() -> Path:
    """`data.root` of runs, where nothing else is given."""
    return Path(os.environ.get("OODBENCH_DATA_ROOT") or "data")


def add_data_root(parser: argparse.ArgumentParser) -> None:
    """Declare `--data-root`, where commands look for data sets."""
    parser.add_argument(
        "--data-root",
        type=Path,
        default=data_root(),
        metavar="DIR",
        help="data.root of runs (default: OODBENCH_DATA_ROOT, or data)",
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options for where the runs are and what normalises ImageNet-P."""
    add_output_root(parser)
    parser.add_argument(
        "--normaliser",
        type=Path,
        metavar="FILE",
        help="CSV of AlexNet's scores on ImageNet-P (perturbation, flip_probability, "
        "top5_distance), for mFR; default: a run of the model alexnet there",
    )


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare `--json`, for `print_json`."""
    parser.add_argument(
        "--json", type=output_file, metavar="FILE", help=f"{what}; - for standard output"
    )


def output_file(text: str) -> Path:
    """A path that a file may be written to: argparse's type of such an option."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: a folder; name a file in it")
    return path


def print_json(file: Path, content: Any) -> None:
    """Write JSON to the file, or to standard output where it is `-`."""
    print_text(file, json_text(content))


def print_text(file: Path, text: str) -> None:
    """Write a text to the file, or to standard output where it is `-`."""
    if file == Path("-"):
        print(text, end="")
    else:
        write_text(file, text)


def print_problems(problems: Iterable[str]) -> None:
    """Name the files of runs that could not be used on stderr, one line each."""
    for problem in problems:
        print(f"warning: {problem}", file=sys.stderr)
