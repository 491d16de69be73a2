"""Records on disk -> result.json. Needs no model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from oodbench.benchmarks.base import Benchmark
from oodbench.core.building import build
from oodbench.metrics.score import Score
from oodbench.runs.attacked import stored_report
from oodbench.runs.paths import RunPaths
from oodbench.runs.records import Skipped, chunk_files, read_info, read_split
from oodbench.runs.results import RunResult, write_result


def score_records(
    benchmark: Benchmark, records: Path, counts: Mapping[str, int]
) -> dict[str, dict[str, Score]]:
    """Scores of the first `counts[split]` items of every split, one split in memory at a time."""

    def splits() -> Iterator[tuple[str, pd.DataFrame]]:
        for name, n_items in counts.items():
            frame = read_split(records, name, n_items)
            if len(frame):
                yield name, frame

    return benchmark.score(splits())


def skipped_items(records: Path, split: str) -> list[Skipped]:
    """Items of a split that could not be read."""
    infos = [read_info(path) for path in chunk_files(records, split)]
    return [item for info in infos if info is not None for item in info.skipped]


def rescore(result: RunResult) -> None:
    """Compute the scores of a finished run again, from its records alone, and write them.

    Derived scores that were kept beside them are forgotten.
    """
    benchmark: Benchmark = build(result.config["benchmark"]["protocol"], "benchmark.protocol")
    counts = {name: int(split["n_items"]) for name, split in result.splits.items()}
    scores = score_records(benchmark, result.directory / "records", counts)
    report = stored_report(result.directory / "records", counts, result.config)
    write_result(
        result.directory / "result.json", replace(result, scores=scores, attack_report=report)
    )
    RunPaths(result.directory).derived.unlink(missing_ok=True)


def split_counts(
    records: Path, counts: Mapping[str, int], expected: Mapping[str, int]
) -> dict[str, dict[str, Any]]:
    """By split: items covered, scored and expected, and those skipped."""
    found = {}
    for name, n_items in counts.items():
        skipped = skipped_items(records, name)
        if skipped:
            # Files may reach further than n_items; their lists are in the order of the items.
            scored = read_split(records, name, n_items, columns=()).get("position", pd.Series())
            skipped = skipped[: n_items - scored.nunique()]
        found[name] = {
            "n_items": n_items,
            "n": n_items - len(skipped),
            "n_expected": expected[name],
            "skipped": [vars(item) for item in skipped],
        }
    return found


def status_of(splits: Mapping[str, Mapping[str, Any]], missing: Sequence[str]) -> str:
    """Complete where every official picture was scored, else partial."""
    whole = all(split["n"] == split["n_expected"] for split in splits.values())
    return "complete" if whole and not missing else "partial"
