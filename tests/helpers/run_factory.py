"""Results made by hand, for the tests of the tables."""

import os
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from oodbench.metrics.score import Score, Unit
from oodbench.runs.records import ChunkInfo, chunk_path, write_chunk
from oodbench.runs.results import RunResult, write_result


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
        difference="",
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
    )
    result = replace(result, **changed)
    if result.directory == Path():
        folder = f"{result.benchmark}/{result.model}/{result.key}"
        result = replace(result, directory=Path(folder))
    return result


def failure(model: str = "resnet50", benchmark: str = "imagenet", **changed: str) -> dict[str, str]:
    usual = {"preprocessing": "published", "attack": "none", "difference": ""}
    return {
        "model": model,
        "benchmark": benchmark,
        **usual,
        "key": "00000000000f",
        "error": "no weights",
        **changed,
    }


def store(result: RunResult, output_root: Path, modified: int = 1_000_000_000) -> Path:
    """Write result.json where a run would; returns the run's folder."""
    folder = output_root / "runs" / result.benchmark / result.model / result.key
    write_result(folder / "result.json", result)
    os.utime(folder / "result.json", (modified, modified))
    return folder


def store_records(folder: Path, split: str, columns: dict[str, list[Any]]) -> None:
    """Write one chunk of records; `position` counts the different images."""
    images = columns["image"]
    order = list(dict.fromkeys(images))
    arrays = {name: np.array(values) for name, values in columns.items()}
    arrays["position"] = np.array([order.index(image) for image in images])
    info = ChunkInfo(len(order), (), "eager", "cpu", 1)
    write_chunk(chunk_path(folder / "records", split, 0), arrays, info)
