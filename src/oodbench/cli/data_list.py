"""`oodbench-data list`: every benchmark, what it needs, and whether that is there."""

import argparse
import logging
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from oodbench.benchmarks.inspection.configs import shipped_configs
from oodbench.benchmarks.inspection.finding import Inspection
from oodbench.benchmarks.inspection.inspect import Depth, inspect
from oodbench.cli.arguments import add_data_root, add_json, print_json
from oodbench.core.columns import aligned
from oodbench.core.schema import BenchmarkConfig
from oodbench.data.sets.facts import DataSet, data_sets

SUMMARY = (
    "list the benchmarks: what they are, where their data come from and whether they are there"
)

_COLUMNS = 100


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `list`."""
    add_data_root(parser)
    add_json(parser, "also write everything there")


def run(arguments: argparse.Namespace) -> None:
    """List the benchmarks."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    configs = shipped_configs(arguments.data_root)
    found = [inspect(config, arguments.data_root, Depth(names=False)) for config in configs]
    if arguments.json is not None:
        print_json(arguments.json, [_content(*pair) for pair in zip(configs, found, strict=True)])
    if arguments.json != Path("-"):
        root = arguments.data_root
        print(f"Benchmarks; folders are below {root}\n\n{_table(configs, found, root)}")
        print("\nTheir data sets")
        for data_set in _needed(configs):
            print(f"\n{_details(data_set)}")


def _table(configs: Sequence[BenchmarkConfig], found: Sequence[Inspection], data_root: Path) -> str:
    rows = [("benchmark", "files", "state", "folder")]
    for config, one in zip(configs, found, strict=True):
        number = "unknown" if one.n_expected is None else f"{one.n_expected:,}"
        folder = Path(one.root)
        if folder.is_relative_to(data_root):
            folder = folder.relative_to(data_root)
        rows.append((config.name, number, state_of(one), str(folder)))
    return "\n".join(aligned(rows, right=(1,)))


def state_of(found: Inspection) -> str:
    """In a word or two: not there, complete, demo data, or how much of it there is."""
    if not found.there:
        return "not there"
    if found.demo:
        return "demo data"
    if not found.problems:
        return "complete"
    return f"{found.n_files:,} files" if found.n_files else "unusable"


def _needed(configs: Sequence[BenchmarkConfig]) -> list[DataSet]:
    names = {config.dataset for config in configs}
    return [known for name, known in data_sets().items() if name in names]


def _details(data_set: DataSet) -> str:
    sizes = [archive.bytes for archive in data_set.archives]
    known = sum(size for size in sizes if size is not None)
    size = f"{known / 1e9:.1f} GB" if known else "size unknown"
    if known and None in sizes:
        size = f"more than {size}"
    archives = ", ".join(archive.file for archive in data_set.archives) or "none"
    rows = [
        ("licence", data_set.licence or "unknown: see the page"),
        ("page", data_set.page),
        ("archives", f"{archives} ({size})"),
        *([("account", data_set.account)] if data_set.account else []),
        ("folder", data_set.place),
    ]
    lines = [
        *_wrapped(f"{data_set.title}: {data_set.about}", "", "  "),
        *(line for key, value in rows for line in _wrapped(value, f"  {key:<12}", " " * 14)),
    ]
    return "\n".join(lines)


def _wrapped(text: str, first: str, others: str) -> list[str]:
    """Lines of at most 100 characters; an address is never broken."""
    return textwrap.wrap(
        text,
        _COLUMNS,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _content(config: BenchmarkConfig, found: Inspection) -> dict[str, Any]:
    data_set = data_sets().get(config.dataset or "")
    return {
        "benchmark": config.name,
        "column": config.column.title,
        "root": found.root,
        "state": state_of(found),
        "there": found.there,
        "complete": found.good and not found.demo,
        "n_files": found.n_files,
        "n_expected": found.n_expected,
        "data_set": None if data_set is None else asdict(data_set),
    }
