"""Scores of a run that need a second run: relative mCE, mFR and mT5D."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan
from pathlib import Path

import pandas as pd

from oodbench.core.errors import DataError
from oodbench.metrics import corruption, perturbation
from oodbench.metrics.intervals import NO_INTERVAL
from oodbench.metrics.score import Score
from oodbench.runs.records import read_split
from oodbench.runs.results import RunResult

Derived = dict[Path, dict[str, Score]]
"""Run folder -> metric -> score."""

Normaliser = Mapping[str, Mapping[str, float]]
"""Perturbation -> AlexNet's `flip_probability` (fraction) and `top5_distance` (0..15)."""

NORMALISING_MODEL = "alexnet"

OF_ERRORS = ("image", "label", "prediction")
OF_CLIPS = ("image", "split", "frame", "prediction", "top5")

_SAME = "both runs show the same pictures"


def derive(results: Sequence[RunResult], normaliser: Path | None) -> Derived:
    """All derived scores that the runs allow.

    `relative_mce` of a clean imagenet_c run needs an imagenet run of the same model and weights;
    `mfr` and `mt5d` of a clean imagenet_p run need AlexNet's scores; of a generated run those of
    AlexNet on the same generated clips, whatever the file says.
    Of several runs that would do
    the newest is taken, before all one without difference from the published run. A partial run
    needs a second one of the same pictures; where none is there the score is NaN with a note.

    Args:
        results: finished runs with their records.
        normaliser: CSV file, see `read_normaliser`; None: an imagenet_p run of the model `alexnet`.

    Returns:
        Only runs for which there is a second run or a file.

    Raises:
        DataError: the normaliser file is missing or damaged.
    """
    given = None if normaliser is None else read_normaliser(normaliser)
    derived: Derived = {}
    for result in results:
        if result.attack != "none":
            continue
        if result.benchmark in ("imagenet_c", "imagenet_c_generated"):
            scores = _of_corruptions(result, results)
        elif result.benchmark == "imagenet_p":
            scores = _of_clips(result, results, given)
        elif result.benchmark == "imagenet_p_generated":
            scores = _of_clips(result, results, None)
        else:
            continue
        if scores:
            derived[result.directory] = scores
    return derived


def read_normaliser(path: Path) -> Normaliser:
    """AlexNet's scores from a CSV file.

    Args:
        path: columns `perturbation`, `flip_probability` (fraction), `top5_distance` (0..15).

    Raises:
        DataError: the file cannot be read, lacks a column or holds something that is no number.
    """
    columns = {"flip_probability": float, "top5_distance": float}
    try:
        table = pd.read_csv(path, dtype={"perturbation": str, **columns})
        rows = table.set_index("perturbation")[list(columns)]
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path}: no normaliser ({reason}); it needs the columns perturbation, "
            "flip_probability and top5_distance"
        ) from error
    return {
        str(name): {"flip_probability": float(flips), "top5_distance": float(distance)}
        for name, flips, distance in rows.itertuples()
    }


def _of_corruptions(result: RunResult, results: Sequence[RunResult]) -> dict[str, Score]:
    clean_runs = [
        run
        for run in _second_runs(result, results, "imagenet", result.model)
        if run.weights is not None and run.weights == result.weights
    ]
    if not clean_runs:
        return {}
    errors = {}
    for split in result.splits:
        records = _records(result, split, OF_ERRORS)
        if len(records):
            kind, severity = split.split("/")
            errors[kind, int(severity)] = corruption.errors_of(records)
    for run in clean_runs:
        clean = corruption.errors_of(_records(run, "", OF_ERRORS))
        pictures = [cell.index for cell in errors.values()]
        if result.status != "complete" and pictures and pictures[0].isin(clean.index).all():
            clean = clean.loc[pictures[0]]  # a budget's pictures are among those of a whole run
        if result.status == "complete" or all(_same(clean.index, index) for index in pictures):
            score = corruption.relative_mce(errors, clean)
            return {"relative_mce": _noted(score, result, _SAME)}
    return {"relative_mce": _undefined("the partial runs on imagenet show other pictures")}


def _of_clips(
    result: RunResult, results: Sequence[RunResult], given: Normaliser | None
) -> dict[str, Score]:
    alexnet_runs = [
        run
        for run in _second_runs(result, results, result.benchmark, NORMALISING_MODEL)
        if result.benchmark == "imagenet_p" or _generated_alike(run, result)
    ]
    if given is None and not alexnet_runs:
        return {}
    clips = {}
    for split in result.splits:
        if split not in perturbation.TEST_PERTURBATIONS:
            continue
        records = _records(result, split, OF_CLIPS)
        if len(records):
            clips[split] = perturbation.clip_scores(records)
    if given is not None:
        # Nothing in the file tells which clips it rests on.
        return _normalised(
            result, clips, given, "the normaliser is taken to rest on the same clips"
        )
    for run in alexnet_runs:
        if result.status == "complete" or _same_clips(run, clips):
            measured = {
                split: {metric: score.value for metric, score in scores.items()}
                for split, scores in run.scores.items()
            }
            return _normalised(result, clips, measured, _SAME)
    note = f"the partial runs of {NORMALISING_MODEL} show other clips"
    return {"mfr": _undefined(note), "mt5d": _undefined(note)}


def _normalised(
    result: RunResult, clips: Mapping[str, pd.DataFrame], normaliser: Normaliser, note: str
) -> dict[str, Score]:
    scores = perturbation.normalised(clips, normaliser)
    return {metric: _noted(score, result, note) for metric, score in scores.items()}


def _second_runs(
    result: RunResult, results: Sequence[RunResult], benchmark: str, model: str
) -> list[RunResult]:
    """Clean runs that may be set against `result`, the best first."""
    runs = [
        run
        for run in results
        if (run.benchmark, run.model, run.attack) == (benchmark, model, "none")
        and run.demo == result.demo
        and (run.status == "complete" or result.status != "complete")
    ]
    return sorted(runs, key=lambda run: (run.difference == "", run.modified, run.key), reverse=True)


def _records(run: RunResult, split: str, columns: Sequence[str]) -> pd.DataFrame:
    """Records of the scored items; only what is asked for, because ImageNet-C has 3.75 M rows."""
    n_items = int(run.splits[split]["n_items"])
    return read_split(run.directory / "records", split, n_items, columns=columns)


def _generated_alike(run: RunResult, other: RunResult) -> bool:
    """Made of the same pictures, with the same seed and encoder."""
    same_pictures = run.dataset_fingerprint == other.dataset_fingerprint
    return same_pictures and run.config.get("benchmark") == other.config.get("benchmark")


def _same(one: pd.Index, other: pd.Index) -> bool:
    return len(one) == len(other) and bool(one.isin(other).all())


def _same_clips(run: RunResult, clips: Mapping[str, pd.DataFrame]) -> bool:
    return all(
        split in run.splits
        and _same(pd.Index(_records(run, split, ("image",))["image"].unique()), frame.index)
        for split, frame in clips.items()
    )


def _noted(score: Score, result: RunResult, note: str) -> Score:
    """`score` with a note where it rests on a part of the pictures."""
    if result.status == "complete":
        return score
    return replace(score, note="; ".join(filter(None, [score.note, f"partial: {note}"])))


def _undefined(note: str) -> Score:
    return Score(nan, *NO_INTERVAL, 0, "percent", False, note)
