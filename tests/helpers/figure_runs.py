"""Finished runs with summaries, for the tests of figures."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from run_factory import run_result, store

from oodbench.metrics.attack_traits import AttackTraits
from oodbench.metrics.intervals import wilson
from oodbench.metrics.score import Score
from oodbench.reference import geirhos_categories
from oodbench.runs.results import RunResult, read_results
from oodbench.runs.summaries.collect import Collector
from oodbench.runs.summaries.store import write_summary

HOSTILE = "a <b>\"&'x</b>\n=1|`$\\frac$ \x07 网络"
"""A name with what HTML, XML, Markdown, LaTeX and spreadsheets take for their own."""


def share(right: int, n: int, **more: Any) -> Score:
    return Score(right / n, *wilson(right, n), n, **more)


def accuracy_run(
    model: str, benchmark: str, right: int, n: int = 1000, **changed: Any
) -> RunResult:
    return run_result(model, benchmark, {"top1": share(right, n)}, **changed)


def records(right: int, n: int, seed: int = 0) -> pd.DataFrame:
    """Rows of which `right` are right."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 5, n)
    hit = rng.permutation(np.arange(n) < right)
    return pd.DataFrame(
        {
            "image": [f"c/{k}.png" for k in range(n)],
            "frame": 0,
            "label": label,
            "prediction": np.where(hit, label, label + 5),
            "confidence": rng.uniform(size=n).astype(np.float32),
        }
    )


def stimuli(names: list[str], decisions: list[str]) -> pd.DataFrame:
    """Rows of cue-conflict stimuli `<shape><i>-<texture><j>.png`, and what they were taken for."""
    categories = list(geirhos_categories())
    cues = [
        [cue.rstrip("0123456789") for cue in name.removesuffix(".png").split("-")] for name in names
    ]
    return pd.DataFrame(
        {
            "image": [f"{shape}/{name}" for (shape, _), name in zip(cues, names, strict=True)],
            "frame": 0,
            "label": [categories.index(shape) for shape, _ in cues],
            "prediction": 0,
            "confidence": np.float32(0.5),
            "shape": [shape for shape, _ in cues],
            "texture": [texture for _, texture in cues],
            "published_set": [shape != texture for shape, texture in cues],
            "decision_max": [categories.index(decision) for decision in decisions],
        }
    )


def keep(run: RunResult, root: Path, rows: pd.DataFrame | None = None) -> None:
    """Store a run with its summary and run.json."""
    folder = store(replace(run, directory=root), root)
    collector = Collector(run.attack_traits)
    if rows is not None:
        collector.add(rows)
    paths = replace(run, directory=folder).paths
    write_summary(paths, run, collector.summary())
    session = {"items": 100, "seconds": 20.0, "engine": "eager", "device": "cpu"}
    paths.info.write_text(json.dumps({"sessions": [session]}), "utf-8")


def sweep(root: Path, models: list[str], **changed: Any) -> list[RunResult]:
    """Runs of every kind that figures show, read back."""
    for k, model in enumerate(models):
        for benchmark in ("imagenet", "imagenet_sketch", "imagenet_a", "imagenet_a_clean"):
            run = accuracy_run(model, benchmark, 600 + 10 * k, **changed)
            keep(run, root, records(600 + 10 * k, 1000, k))
        other = {"preprocessing": "timm", "difference": ["preprocessing=timm"], **changed}
        keep(accuracy_run(model, "imagenet", 620, key="000000000002", **other), root)
        keep(_corrupted(model, k, **changed), root)
        names = ["airplane1-bicycle2.png", "airplane1-chair2.png", "bear1-bottle1.png"]
        decided = ["airplane", "chair" if k else "airplane", "bottle"]
        cues = run_result(
            model, "cue_conflict", {"shape_bias": share(1, 3)}, headline="shape_bias", **changed
        )
        keep(cues, root, stimuli(names, decided))
        for key, eps in (("00000000000a", 0.01), ("00000000000b", 0.06)):
            keep(attacked(model, key, eps, 100 * (k + 1), **changed), root)
    return read_results(root).results


def attacked(model: str, key: str, eps: float, right: int, **changed: Any) -> RunResult:
    report = {
        "iterations": [0, 1, 2],
        "accuracy_after": [0.9, 0.7, right / 1000],
        "strict_accuracy_after": [0.9, 0.5, 0.0],
        "checks": [{"name": "gradient of zero", "verdict": "warn"}],
        "n_left_out": 0,
    }
    scores = {"adversarial_accuracy": share(right, 1000), "clean_accuracy": share(900, 1000)}
    given = {
        "headline": "adversarial_accuracy",
        "key": key,
        "attack": "pgd",
        "difference": [f"attack.eps={eps}"],
        "attack_traits": AttackTraits(eps=eps),
        "attack_report": report,
        "config": {"attack": {"_target_": "pgd", "eps": eps}},
    }
    return run_result(model, "adversarial", scores, **{**given, **changed})


def _corrupted(model: str, k: int, **changed: Any) -> RunResult:
    scores = {"": {"mce": Score(60.0 + k, 50.0, 70.0, 10, "percent", False)}}
    for place, kind in enumerate(("fog", "jpeg_compression")):
        scores[kind] = {"ce": Score(50.0 + k + place, 40.0, 60.0, 10, "percent", False)}
        for severity in range(1, 6):
            scores[f"{kind}/{severity}"] = {"error": share(severity + place, 10)}
    run = run_result(model, "imagenet_c", headline="mce", **changed)
    return replace(run, scores=scores)
