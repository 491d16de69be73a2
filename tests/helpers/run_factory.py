"""Results made by hand, for the tests of the tables."""

import os
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from oodbench.core.schema import ColumnConfig
from oodbench.core.shipped import is_official, shipped_column
from oodbench.metrics.score import Score, Unit
from oodbench.runs.paths import RunPaths
from oodbench.runs.records import ChunkInfo, chunk_path, write_chunk
from oodbench.runs.results import RunFailure, RunResult, write_failure, write_result


def score(
    value: float, low: float = nan, high: float = nan, n: int = 10, unit: Unit = "fraction"
) -> Score:
    return Score(value, low, high, n, unit)


def run_result(
    model: str = "resnet50",
    benchmark: str = "imagenet",
    scores: dict[str, Score] | None = None,
    **changed: Any,
) -> RunResult:
    """A complete run of one split with 10 pictures; `scores` are those of the whole."""
    result = RunResult(
        key="000000000001",
        model=model,
        benchmark=benchmark,
        preprocessing="published",
        attack="none",
        difference=[],
        status="complete",
        demo=False,
        extension=False,
        headline="top1",
        n_images=10,
        n_expected=10,
        splits={"": {"n_items": 10, "n": 10, "n_expected": 10, "skipped": []}},
        missing_splits=[],
        notes=[],
        scores={"": scores if scores is not None else {"top1": score(0.5)}},
        weights="sha256:1",
        precision="fp32",
        dataset_fingerprint="0",
        config={},
        attack_traits=None,
        column=shipped_column(benchmark) or ColumnConfig(),
        official=is_official(benchmark),
    )
    result = replace(result, **changed)
    if result.directory == Path():
        folder = f"{result.benchmark}/{result.model}/{result.key}"
        result = replace(result, directory=Path(folder))
    return result


def failure(model: str = "resnet50", benchmark: str = "imagenet", **changed: Any) -> RunFailure:
    failed = RunFailure(
        key="00000000000f",
        model=model,
        benchmark=benchmark,
        preprocessing="published",
        attack="none",
        difference=[],
        error="no weights",
    )
    return replace(failed, **changed)


def store(result: RunResult, output_root: Path, modified: int = 1_000_000_000) -> Path:
    """Write result.json where a run would; returns the run's folder."""
    paths = RunPaths.of(output_root, result.benchmark, result.model, result.key)
    write_result(paths.result, result)
    os.utime(paths.result, (modified, modified))
    return paths.directory


def store_failure(failed: RunFailure, output_root: Path) -> Path:
    """Write error.json where a run would; returns the run's folder."""
    paths = RunPaths.of(output_root, failed.benchmark, failed.model, failed.key)
    write_failure(paths, failed)
    return paths.directory


def store_records(folder: Path, split: str, columns: dict[str, list[Any]]) -> None:
    """Write one chunk of records; `position` counts the different images."""
    images = columns["image"]
    order = list(dict.fromkeys(images))
    arrays = {name: np.array(values) for name, values in columns.items()}
    arrays["position"] = np.array([order.index(image) for image in images])
    info = ChunkInfo(len(order), (), "eager", "cpu", 1)
    write_chunk(chunk_path(folder / "records", split, 0), arrays, info)


def store_examples(root: Path) -> None:
    """Two finished runs, one with a published value beside it, and a failed one."""
    store(run_result("resnet50", scores={"top1": score(0.7613, 0.757, 0.765)}), root)
    store(run_result("mynet", "imagenet_a", {"top1": score(0.25)}), root)
    store_failure(failure("mynet"), root)
