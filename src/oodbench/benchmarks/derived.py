"""Relative mCE, mFR, mT5D and top-1 drop from the records of a run and of a second one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan

import pandas as pd

from oodbench.benchmarks.second_run import FinishedRun, Normaliser
from oodbench.metrics import corruption, perturbation
from oodbench.metrics.intervals import NO_INTERVAL
from oodbench.metrics.joint import Term, weighted_sum
from oodbench.metrics.score import Score

OF_ERRORS = ("image", "label", "prediction")
OF_CLIPS = ("image", "split", "frame", "prediction", "top5")

_SAME = "both runs show the same pictures"


def relative_mce(run: FinishedRun, others: Sequence[FinishedRun], clean_name: str) -> Score:
    """Relative mCE (`oodbench.metrics.corruption.relative_mce`) of a run on ImageNet-C.

    Args:
        run: splits `<corruption>/<severity>`.
        others: clean runs on ImageNet, the best first.
        clean_name: name of their benchmark, for the note.

    Returns:
        Against the first clean run that shows the same pictures; NaN with a note where none does.
    """
    errors = {}
    for split in run.splits:
        records = run.records(split, OF_ERRORS)
        if len(records):
            kind, severity = split.split("/")
            errors[kind, int(severity)] = corruption.errors_of(records)
    pictures = [cell.index for cell in errors.values()]
    for other in others:
        clean = corruption.errors_of(other.records("", OF_ERRORS))
        if not run.complete and pictures and pictures[0].isin(clean.index).all():
            clean = clean.loc[pictures[0]]  # a budget's pictures are among those of a whole run
        if run.complete or all(_same(clean.index, index) for index in pictures):
            return _noted(corruption.relative_mce(errors, clean), run, _SAME)
    return _undefined(f"the partial runs on {clean_name} show other pictures")


def top1_drop(run: FinishedRun, others: Sequence[FinishedRun], clean_name: str) -> Score:
    """Clean accuracy minus that of a run on the same pictures, changed; a fraction.

    Args:
        run: with one split.
        others: clean runs on ImageNet, the best first.
        clean_name: name of their benchmark, for the note.

    Returns:
        Against the first clean run that shows the same pictures; NaN with a note where none does.
    """
    changed = corruption.errors_of(run.records("", OF_ERRORS))
    for other in others:
        clean = corruption.errors_of(other.records("", OF_ERRORS))
        if not run.complete and changed.index.isin(clean.index).all():
            clean = clean.loc[changed.index]
        if run.complete or _same(clean.index, changed.index):
            return _noted(
                weighted_sum([Term(1, changed), Term(-1, clean)], unit="fraction"), run, _SAME
            )
    note = f"the partial runs on {clean_name} show other pictures"
    return Score(nan, *NO_INTERVAL, 0, "fraction", False, note)


def normalised_flips(
    run: FinishedRun,
    others: Sequence[FinishedRun],
    given: Normaliser | None,
    model_name: str,
) -> dict[str, Score]:
    """`mfr` and `mt5d` (`oodbench.metrics.perturbation.normalised`) of a run on ImageNet-P.

    Args:
        run: splits named by the perturbation.
        others: runs of the normalising model on the same benchmark, the best first.
        given: its scores from a file, which go before its runs.
        model_name: its name, for the note.

    Returns:
        Against the first run that shows the same clips; NaN with a note where none does.
    """
    clips = {}
    for split in run.splits:
        if split not in perturbation.TEST_PERTURBATIONS:
            continue
        records = run.records(split, OF_CLIPS)
        if len(records):
            clips[split] = perturbation.clip_scores(records)
    if given is not None:
        # Nothing in the file tells which clips it rests on.
        return _normalised(run, clips, given, "the normaliser is taken to rest on the same clips")
    for other in others:
        if run.complete or _same_clips(other, clips):
            measured = {
                split: {metric: score.value for metric, score in scores.items()}
                for split, scores in other.scores.items()
            }
            return _normalised(run, clips, measured, _SAME)
    note = f"the partial runs of {model_name} show other clips"
    return {"mfr": _undefined(note), "mt5d": _undefined(note)}


def _normalised(
    run: FinishedRun, clips: Mapping[str, pd.DataFrame], normaliser: Normaliser, note: str
) -> dict[str, Score]:
    scores = perturbation.normalised(clips, normaliser)
    return {metric: _noted(score, run, note) for metric, score in scores.items()}


def _same(one: pd.Index, other: pd.Index) -> bool:
    return len(one) == len(other) and bool(one.isin(other).all())


def _same_clips(run: FinishedRun, clips: Mapping[str, pd.DataFrame]) -> bool:
    return all(
        split in run.splits
        and _same(pd.Index(run.records(split, ("image",))["image"].unique()), frame.index)
        for split, frame in clips.items()
    )


def _noted(score: Score, run: FinishedRun, note: str) -> Score:
    """`score` with a note where it rests on a part of the pictures."""
    if run.complete:
        return score
    return replace(score, note="; ".join(filter(None, [score.note, f"partial: {note}"])))


def _undefined(note: str) -> Score:
    return Score(nan, *NO_INTERVAL, 0, "percent", False, note)
