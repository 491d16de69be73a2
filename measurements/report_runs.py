"""Runs of the published table, all made up and stored as runs store them, to be reported on."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.core.files import write_json
from oodbench.core.schema import ColumnConfig
from oodbench.core.shipped import published_columns, shipped_benchmark
from oodbench.metrics.score import Score, Unit
from oodbench.reference import geirhos_categories, published_models
from oodbench.reports.published.values import published_value
from oodbench.runs.key import PIPELINE
from oodbench.runs.paths import RunPaths
from oodbench.runs.records import ChunkInfo, chunk_path, write_chunk
from oodbench.runs.results import RunResult, read_result, write_result
from oodbench.runs.summaries.collect import Collector
from oodbench.runs.summaries.store import write_summary

CORRUPTED = "imagenet_c"
PERTURBED = "imagenet_p"
CUES = "cue_conflict"
ATTACKED = "adversarial"

CORRUPTIONS = (
    *("gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur"),
    *("motion_blur", "zoom_blur", "snow", "frost", "fog", "brightness", "contrast"),
    *("elastic_transform", "pixelate", "jpeg_compression"),
)
PERTURBATIONS = (
    *("gaussian_noise", "shot_noise", "motion_blur", "zoom_blur", "snow", "brightness"),
    *("translate", "rotate", "tilt", "scale"),
)
SEVERITIES = range(1, 6)
CHUNK = 2000
"""Pictures, as `conf/benchmark/imagenet_c.yaml` has it."""

_FROM_PERCENT = {"mce"}


def store_published_table(
    root: Path,
    n: int = 1000,
    models: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
) -> None:
    """Complete runs with summaries and sessions, without records.

    Args:
        root: of the outputs.
        n: pictures of each benchmark.
        models, benchmarks: all of the published table by default.
    """
    generator = np.random.default_rng(0)
    for model in models or published_models():
        for benchmark in benchmarks or published_columns():
            store_run(root, model, benchmark, n, generator, with_records=False)


def store_run(
    root: Path,
    model: str,
    benchmark: str,
    n: int,
    generator: np.random.Generator,
    *,
    with_records: bool,
) -> None:
    """One run: with its records and without a summary, or the other way round."""
    result = made(model, benchmark, n, generator)
    paths = RunPaths.of(root, benchmark, model, result.key)
    write_result(paths.result, result)
    write_json(paths.info, {"sessions": [_session(n, generator)]})
    stored = read_result(paths.result)
    assert stored is not None
    splits = {name: counts["n_items"] for name, counts in result.splits.items()}
    if with_records:
        for split, n_items in splits.items():
            for number, first in enumerate(range(0, n_items, CHUNK)):
                size = min(CHUNK, n_items - first)
                info = ChunkInfo(size, (), "eager", "cpu", 32, "", result.key, split, first)
                path = chunk_path(paths.records, split, number)
                write_chunk(path, _rows(split, size, generator, first), info)
        return
    collector = Collector(None)
    for split in list(splits)[:1]:
        rows = _rows(split, n, generator)
        if benchmark != PERTURBED:
            collector.add(pd.DataFrame({name: list(values) for name, values in rows.items()}))
    if benchmark == CUES:
        collector = Collector(None)
        collector.add(_cues(n, generator))
    write_summary(paths, stored, collector.summary())


def made(model: str, benchmark: str, n: int, generator: np.random.Generator) -> RunResult:
    """A complete run with scores near the published ones and a config as long as real ones have."""
    column = published_columns().get(benchmark, ColumnConfig())
    node = shipped_benchmark(benchmark) or {}
    headline = list(column.metrics or {"top1": None})[-1]
    published = published_value(model, benchmark, headline)
    usual = float(generator.uniform(0.2, 0.9)) * (100 if headline in _FROM_PERCENT else 1)
    value = published.value if published else usual
    scores = {"": {headline: _score(value, headline, n, generator)}, **_parts(benchmark, generator)}
    splits = _splits(benchmark)
    each = max(n // len(splits), 1)
    return RunResult(
        key=f"{generator.integers(16**12):012x}",
        model=model,
        benchmark=benchmark,
        preprocessing="published",
        attack=str(node.get("attack", "none")),
        difference=[],
        status="complete",
        demo=False,
        extension=False,
        headline=headline,
        n_images=each * len(splits),
        n_expected=each * len(splits),
        splits={
            name: {"n_items": each, "n": each, "n_expected": each, "skipped": []} for name in splits
        },
        missing_splits=[],
        notes=[],
        scores=scores,
        weights=f"sha256:{generator.bytes(32).hex()}",
        precision="fp32",
        dataset_fingerprint=benchmark.encode().hex().ljust(64, "0"),
        config=_config(model, node),
        attack_traits=None,
        column=column,
        official=True,
    )


def _config(model: str, node: Mapping[str, Any]) -> dict[str, Any]:
    pipeline = {"square_crop": False, "resize": 256, "crop": 224, "resize_after_crop": None}
    return {
        "model": {
            "network": {
                "_target_": "oodbench.models.networks.timm_network",
                "architecture": model,
                "arguments": {"pretrained": False, "num_classes": 1000, "in_chans": 3},
            },
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        },
        "preprocessing": {
            "name": "published",
            "_target_": PIPELINE,
            **pipeline,
            "interpolation": "bilinear",
            "backend": "pil",
        },
        "attack": {"name": "none"},
        "seed": 0,
        "benchmark": {"protocol": dict(node.get("protocol", {})), "version": 1},
    }


def _splits(benchmark: str) -> list[str]:
    if benchmark == CORRUPTED:
        return [f"{name}/{severity}" for name in CORRUPTIONS for severity in SEVERITIES]
    return list(PERTURBATIONS) if benchmark == PERTURBED else [""]


def _score(value: float, metric: str, n: int, generator: np.random.Generator) -> Score:
    unit: Unit = "percent" if metric in _FROM_PERCENT else "fraction"
    scale = 100.0 if unit == "percent" else 1.0
    moved = max(value + scale * float(generator.normal(0, 0.004)), 0.0)
    half = scale * float(np.sqrt(max(value / scale * (1 - value / scale), 0.01) / n))
    higher = not metric.endswith("ce")
    return Score(moved, max(moved - 2 * half, 0.0), moved + 2 * half, n, unit, higher)


def _parts(benchmark: str, generator: np.random.Generator) -> dict[str, dict[str, Score]]:
    """Scores of corruptions, of their severities, and of perturbations."""
    if benchmark == PERTURBED:
        return {
            name: {"flip_probability": _score(generator.uniform(0.02, 0.2), "", 500, generator)}
            for name in PERTURBATIONS
        }
    if benchmark != CORRUPTED:
        return {}
    found: dict[str, dict[str, Score]] = {}
    for name in CORRUPTIONS:
        base = generator.uniform(0.2, 0.5)
        found[name] = {"ce": _score(100 * (base + 0.3), "mce", 500, generator)}
        for severity in SEVERITIES:
            value = base + 0.08 * severity
            found[f"{name}/{severity}"] = {"error": _score(value, "", 500, generator)}
    return found


def _session(n: int, generator: np.random.Generator) -> dict[str, Any]:
    seconds = float(generator.uniform(20, 4000))
    return {
        "started": "2026-03-01T10:00:00+00:00",
        "finished": "2026-03-01T11:00:00+00:00",
        "seconds": round(seconds, 3),
        "items": n,
        "items_per_second": round(n / seconds, 2),
        "engine": "auto",
        "computed_by": "eager",
        "device": "cpu",
        "batch_size": 32,
        "workers": 2,
        "peak_memory": int(generator.uniform(1e9, 8e9)),
        "host": "node01",
        "python": "3.11.7",
        "versions": {"oodbench": "0.1.0", "torch": "2.4.0", "pillow": "10.0.0", "numpy": "1.26.4"},
    }


def _rows(
    split: str, n: int, generator: np.random.Generator, first: int = 0
) -> dict[str, NDArray[Any]]:
    """Records of classified pictures, of which three quarters are right."""
    label = generator.integers(0, 1000, n).astype(np.int16)
    right = generator.random(n) < 0.75
    other = generator.integers(0, 1000, n).astype(np.int16)
    return {
        "image": np.array([f"{split}/{number:08d}.JPEG" for number in range(first, first + n)]),
        "position": np.arange(first, first + n, dtype=np.int32),
        "frame": np.zeros(n, dtype=np.int16),
        "label": label,
        "prediction": np.where(right, label, other),
        "confidence": generator.beta(4, 2, n).astype(np.float32),
        "top5": np.tile(np.arange(5, dtype=np.int16), (n, 1)),
    }


def _cues(n: int, generator: np.random.Generator) -> pd.DataFrame:
    names = list(geirhos_categories())
    shape, texture = generator.integers(0, 16, (2, n))
    decided = generator.random(n)
    decision = np.where(
        decided < 0.3, shape, np.where(decided < 0.8, texture, generator.integers(0, 16, n))
    )
    return pd.DataFrame(
        {
            "image": [f"{names[s]}{i}-{names[t]}{i}.png" for i, (s, t) in _pairs(shape, texture)],
            "shape": [names[one] for one in shape],
            "texture": [names[one] for one in texture],
            "published_set": shape != texture,
            "decision_max": decision.astype(np.int8),
            "label": shape.astype(np.int16),
            "prediction": decision.astype(np.int16),
            "confidence": generator.beta(4, 2, n).astype(np.float32),
        }
    )


def _pairs(
    shape: NDArray[np.int64], texture: NDArray[np.int64]
) -> Iterator[tuple[int, tuple[int, int]]]:
    return enumerate(zip(shape.tolist(), texture.tolist(), strict=True))
