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
from oodbench.cli.arguments import add_json, print_json
from oodbench.cli.data_prepare import add_data_root
from oodbench.core.errors import ConfigError, visible
from oodbench.core.schema import BenchmarkConfig, shipped
from oodbench.data.sets.facts import data_sets

SUMMARY = "look for what is wrong with the data sets on disk: folders, counts, labels, files"


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `check`."""
    parser.add_argument(
        "benchmarks", nargs="*", metavar="BENCHMARK", help="(default: all whose folder is there)"
    )
    add_data_root(parser)
    parser.add_argument(
        "--deep",
        action="store_true",
        help="also decode every file and compare checksums; what was sound is remembered",
    )
    parser.add_argument(
        "--workers",
        type=int,
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
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    if arguments.workers < 1:
        raise ConfigError(f"--workers {arguments.workers}: give 1 or more")
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
    counted = f"{found.n_files} of {found.n_expected}" if found.n_expected else f"{found.n_files}"
    verdict = "good" if found.good else _counted(len(found.problems), "problem")
    marks = [verdict, f"{counted} files", found.root]
    marks += ["demo data"] if found.demo else []
    marks += ["all decoded"] if found.deep else []
    lines = [f"{found.benchmark}: {', '.join(marks)}"]
    return "\n".join([*lines, *(f"  {visible(str(problem))}" for problem in found.problems)])


def _configs(names: Sequence[str], data_root: Path) -> list[BenchmarkConfig]:
    """Of the named benchmarks; without names one of each folder, the one that needs all of it."""
    if unknown := [name for name in names if name not in shipped("benchmark")]:
        raise ConfigError(
            f"{unknown[0]}: no such benchmark; available: {', '.join(shipped('benchmark'))}"
        )
    configs = [shipped_config(name, data_root) for name in names or shipped("benchmark")]
    if names:
        return configs
    by_folder: dict[str, BenchmarkConfig] = {}
    for config in sorted(configs, key=_place_in_line):
        by_folder.setdefault(config.root, config)
    return list(by_folder.values())


def _place_in_line(config: BenchmarkConfig) -> tuple[bool, int, str]:
    """First those that need all of their data set, of these the one of the shortest name."""
    data_set = data_sets().get(config.dataset or "")
    whole = data_set is None or config.protocol.get("n_expected") == data_set.n_files
    return not whole, len(config.name), config.name


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
