"""Seconds and memory of `oodbench-table` on 10,000 results.

500 models under four pipelines on five benchmarks with the scores that their runs have, all made up
and stored as runs store them, with records of 1,000 pictures. Each figure is that of a process of
its own, its start included; `theirs` is the goal, 5 s and 500 MB. `--best` is called twice: what it
reads from the records once is kept. `agree`: every model is in what was written.

    python measurements/tables.py --json tables.json
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from oodbench.core.files import write_json
from oodbench.core.schema import ColumnConfig
from oodbench.core.shipped import is_official, shipped_benchmark, shipped_column
from oodbench.metrics.score import Score
from oodbench.runs.key import PIPELINE
from oodbench.runs.paths import RunPaths
from oodbench.runs.records import ChunkInfo, chunk_path, write_chunk
from oodbench.runs.results import RunResult, write_result

sys.path.insert(0, str(Path(__file__).parents[1]))
from measurements.goals import goal_row

MODELS = 500
PIPELINES = ("published", "timm", "square", "squash")
BENCHMARKS = {
    "imagenet": ("top1", "top5", "ece", "adaptive_ece", "nll", "brier"),
    "imagenet_a": ("top1", "top1_1000way", "rms_calibration_error", "aurra", "ece", "nll"),
    "imagenet_sketch": ("top1", "top5", "ece", "adaptive_ece", "nll", "brier"),
    "cue_conflict": ("shape_bias", "shape_bias_mean_rule", "texture_bias", "fraction_correct"),
    "imagenet_r": ("top1", "top1_1000way", "rms_calibration_error", "aurra", "ece", "nll"),
}
PICTURES = 1000
RIGHT = (500, 600, 650, 700, 720, 740, 745, 750)
GOAL_SECONDS = 5.0
GOAL_MEGABYTES = 500.0


def results() -> Iterator[tuple[RunResult, int]]:
    """All of them, each with the number of its records, and other scores drawn at random."""
    generator = np.random.default_rng(0)
    for model in range(MODELS):
        for pipeline in PIPELINES:
            for benchmark, metrics in BENCHMARKS.items():
                values = generator.random(len(metrics)).tolist()
                records = int(generator.integers(len(RIGHT)))
                values[0] = RIGHT[records] / PICTURES
                scores = dict(zip(metrics, values, strict=True))
                key = f"{generator.integers(16**12):012x}"
                yield made(f"model_{model:03d}", pipeline, benchmark, scores, key), records


def made(
    model: str, pipeline: str, benchmark: str, scores: dict[str, float], key: str
) -> RunResult:
    """A complete run with a config as long as real ones have."""
    node = shipped_benchmark(benchmark) or {}
    n = PICTURES
    steps = {"square_crop": False, "resize": 256, "crop": 224, "resize_after_crop": None}
    return RunResult(
        key=key,
        model=model,
        benchmark=benchmark,
        preprocessing=pipeline,
        attack="none",
        difference=[] if pipeline == "published" else [f"preprocessing={pipeline}"],
        status="complete",
        demo=False,
        extension=False,
        headline=next(iter(scores)),
        n_images=n,
        n_expected=n,
        splits={"": {"n_items": n, "n": n, "n_expected": n, "skipped": []}},
        missing_splits=[],
        notes=[],
        scores={
            "": {
                metric: Score(value, max(value - 0.01, 0), min(value + 0.01, 1), n)
                for metric, value in scores.items()
            }
        },
        weights=f"sha256:{key * 5}",
        precision="fp32",
        dataset_fingerprint=benchmark * 4,
        config={
            "benchmark": {"protocol": node["protocol"], "chunk_size": 1000, "version": 1},
            "model": {"network": {"_target_": "x.y", "name": model}, "mean": [0.5] * 3},
            "preprocessing": {
                "_target_": PIPELINE,
                "name": pipeline,
                **steps,
                "interpolation": "bilinear",
            },
            "attack": {"name": "none"},
            "seed": 0,
        },
        attack_traits=None,
        column=shipped_column(benchmark) or ColumnConfig(),
        official=is_official(benchmark),
    )


def write_records(folder: Path) -> list[Path]:
    """A chunk of records for each number of right pictures, as of the first versions: without key,
    so that many runs can share it."""
    info = ChunkInfo(PICTURES, (), "eager", "cpu", 1)
    files = []
    for n_right in RIGHT:
        right = np.random.default_rng(n_right).permutation(np.arange(PICTURES) < n_right)
        columns = {
            "image": np.array([f"n01440764/{n}.JPEG" for n in range(PICTURES)], dtype=object),
            "position": np.arange(PICTURES, dtype=np.int32),
            "frame": np.zeros(PICTURES, np.int16),
            "label": np.zeros(PICTURES, np.int16),
            "prediction": np.where(right, 0, 1).astype(np.int16),
        }
        file = folder / f"{n_right}.parquet"
        write_chunk(file, columns, info)
        files.append(file)
    return files


def timed(arguments: Sequence[str]) -> tuple[float, float, str]:
    """Seconds, megabytes and output of the command."""
    line = [sys.executable, "-m", "oodbench.cli.table", *arguments]
    start = time.monotonic()
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{line}: exit code {process.returncode}")
    return time.monotonic() - start, usage.ru_maxrss / 1024, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        records = write_records(root)
        for result, number in results():
            paths = RunPaths.of(root, result.benchmark, result.model, result.key)
            write_result(paths.result, result)
            chunk = chunk_path(paths.records, "", 0)
            chunk.parent.mkdir()
            chunk.hardlink_to(records[number])
        for words in WORK:
            seconds, megabytes, said = timed(["--output-root", folder, *words])
            agree = all(f"model_{number:03d}" in said for number in range(MODELS))
            work = " ".join(["oodbench-table", *words])
            rows += [
                goal_row(work, seconds, GOAL_SECONDS, "s", agree),
                goal_row(work, megabytes, GOAL_MEGABYTES, "MB", agree),
            ]
    for entry in rows:
        print(
            "{work}: {ours:.2f} {unit}, goal {theirs:.0f}, ratio {ratio:.2f}, {agree}".format(
                **entry
            )
        )
    if options.json:
        write_json(options.json, rows)


WORK = (
    (),
    ("--format", "html"),
    ("--by", "preprocessing", "--sort", "IN", "--format", "csv"),
    ("--best",),
    ("--best",),
)


if __name__ == "__main__":
    main()
