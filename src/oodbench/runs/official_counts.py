"""How many items a benchmark officially has, whatever a run says of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from oodbench.benchmarks.base import Split
from oodbench.core.schema import BenchmarkConfig
from oodbench.core.shipped import shipped_benchmark

ARGUMENT = "n_expected"
"""Argument of a protocol: the official number of items of each split."""


def expected_counts(benchmark: BenchmarkConfig, splits: Sequence[Split]) -> dict[str, int]:
    """Official number of items by split.

    Where the run gives another number than the benchmark that ships under its name, for it accepts
    fewer pictures, the shipped one counts: a part does not become the whole.
    """
    given, official = benchmark.protocol.get(ARGUMENT), _shipped_count(benchmark.name)
    return {
        split.name: official if official and split.n_expected == given else split.n_expected
        for split in splits
    }


def totals(
    splits: Mapping[str, Mapping[str, Any]], official: Sequence[str], n_missing: int
) -> tuple[int, int]:
    """Items scored and items expected of the whole benchmark.

    Args:
        splits: by name, `n` and `n_expected`.
        official: names of those that the benchmark is made of; others are scored beside them.
        n_missing: how many more it is made of, each as large as the largest one.
    """
    counted = [splits[name] for name in official] or list(splits.values())
    largest = max(int(split["n_expected"]) for split in counted)
    scored = sum(int(split["n"]) for split in counted)
    return scored, sum(int(split["n_expected"]) for split in counted) + n_missing * largest


def _shipped_count(name: str) -> int | None:
    found = (shipped_benchmark(name) or {}).get("protocol", {}).get(ARGUMENT)
    return found if isinstance(found, int) else None
