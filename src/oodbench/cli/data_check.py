"""`oodbench-data check`: whether the data sets on disk are what runs take them for."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from oodbench.benchmarks.inspection.configs import shipped_config
from oodbench.benchmarks.inspection.finding import Inspection
from oodbench.benchmarks.inspection.inspect import Depth, inspect
from oodbench.benchmarks.inspection.shortening import shortened
from oodbench.benchmarks.inspection.wording import counted
from oodbench.cli.arguments import add_data_root, add_json, print_json
from oodbench.core.errors import visible
from oodbench.core.schema import BenchmarkConfig, shipped
from oodbench.data import entries
from oodbench.data.sets.facts import data_sets

SUMMARY = "look for what is wrong with the data sets on disk: folders, counts, labels, files"

_MOST_LINES = 20


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `check`."""
    parser.add_argument(
        "benchmarks",
        nargs="*",
        type=_benchmark,
        metavar="BENCHMARK",
        help="(default: all whose folder is there)",
    )
    add_data_root(parser)
    parser.add_argument(
        "--deep",
        action="store_true",
        help="also decode every file and compare checksums; what was sound is remembered",
    )
    parser.add_argument(
        "--workers",
        type=_positive,
        default=os.cpu_count() or 1,
        metavar="N",
        help="with --deep: files that are decoded at once (default: %(default)s)",
    )
    add_json(parser, "also write what was found there")


def run(arguments: argparse.Namespace) -> int:
    """Check the data sets.

    Returns:
        Exit code: 1 where something is wrong, or a named benchmark is not there; else 0.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # What it says of single folders is among the problems.
    logging.getLogger(entries.__name__).setLevel(logging.ERROR)
    depth = Depth(decode=arguments.deep, workers=arguments.workers)
    silent = arguments.json == Path("-")
    found = []
    for config in _configs(arguments.benchmarks, arguments.data_root):
        inspection = inspect(config, arguments.data_root, depth)
        if inspection.there or arguments.benchmarks:
            found.append(inspection)
            if not silent:
                print(text_of(inspection), flush=True)
    if arguments.json is not None:
        print_json(arguments.json, [{**asdict(one), "good": one.good} for one in found])
    if not found and not silent:
        print(f"{arguments.data_root}: no data set is there: oodbench-data list says where each is")
    return int(not all(one.good for one in found))


def text_of(found: Inspection) -> str:
    """A line for the benchmark, and one for each problem."""
    if not found.there:
        return f"{found.benchmark}: not there: {found.root}"
    number = f"{found.n_files:,}" + (f" of {found.n_expected:,}" if found.n_expected else "")
    verdict = "good" if found.good else counted(len(found.problems), "problem")
    marks = [verdict, f"{number} files", found.root]
    marks += ["demo data"] if found.demo else []
    marks += ["all decoded"] if found.deep else []
    lines = [f"{found.benchmark}: {', '.join(marks)}"]
    lines += [f"  {visible(str(problem))}" for problem in shortened(found.problems, _MOST_LINES)]
    if (more := len(found.problems) - _MOST_LINES) > 0:
        lines.append(f"  {counted(more, 'problem')} more: --json FILE has all")
    return "\n".join(lines)


def _configs(names: Sequence[str], data_root: Path) -> list[BenchmarkConfig]:
    """Of the named benchmarks; without names one of each folder, the one that needs all of it."""
    configs = [shipped_config(name, data_root) for name in names or shipped("benchmark")]
    if names:
        return configs
    by_folder: dict[str, BenchmarkConfig] = {}
    for config in sorted(configs, key=_place_in_line):
        by_folder.setdefault(config.root, config)
    return list(by_folder.values())


def _benchmark(text: str) -> str:
    if text not in shipped("benchmark"):
        available = ", ".join(shipped("benchmark"))
        raise argparse.ArgumentTypeError(f"{text}: no such benchmark; available: {available}")
    return text


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give 1 or more")
    return int(text)


def _place_in_line(config: BenchmarkConfig) -> tuple[bool, int, str]:
    """First those that need all of their data set, of these the one of the shortest name."""
    data_set = data_sets().get(config.dataset or "")
    whole = data_set is None or config.protocol.get("n_expected") == data_set.n_files
    return not whole, len(config.name), config.name
