"""Runs of one model under several pipelines, with records."""

from pathlib import Path
from typing import Any

import numpy as np
from run_factory import run_result, score, store, store_records

from oodbench.runs.key import PIPELINE

N = 200


def stored(root: Path, key: str, prediction: np.ndarray, **changed: Any) -> None:
    """A run on pictures of class 0."""
    counts = {"n_items": N, "n": N, "n_expected": N, "skipped": []}
    share = float((prediction == 0).mean())
    changed = {"model": "alpha", "scores": {"top1": score(share, n=N)}, **changed}
    result = run_result(key=key * 12, splits={"": counts}, n_images=N, n_expected=N, **changed)
    columns: dict[str, list[Any]] = {
        "image": [f"n01440764/{number}.JPEG" for number in range(N)],
        "split": [""] * N,
        "frame": [0] * N,
        "label": [0] * N,
        "prediction": prediction.tolist(),
    }
    store_records(store(result, root), "", columns)


def pipeline(name: str, **steps: Any) -> dict[str, Any]:
    """Of a run, and what it did otherwise."""
    words = [f"preprocessing.{field}={value}" for field, value in steps.items()]
    shipped = [] if name == "published" or words else [f"preprocessing={name}"]
    config = {"preprocessing": {"name": name, "_target_": PIPELINE, **steps}}
    return {"preprocessing": name, "difference": words or shipped, "config": config}


def predictions(share: float, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return np.where(generator.random(N) < share, 0, generator.integers(1, 4, N)).astype(int)
