"""What the records of an attacked run say of the attack: whether its number can be trusted."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.adversarial import accurate, attacked_only
from oodbench.metrics.attack_traits import AttackTraits
from oodbench.metrics.intervals import rate
from oodbench.metrics.score import Score
from oodbench.reference import read_table

Verdict = Literal["pass", "warn", "not checked"]
Flags = NDArray[np.bool_]

COLUMNS = (
    *("image", "frame", "label", "prediction", "clean_prediction", "clean_loss"),
    *("attack_succeeded", "attack_contradicted", "attack_iterations", "attack_loss", "target"),
    *("first_error", "zero_gradient", "steps_without_gradient", "loss_stuck", "left_out"),
    *("broken_by", "broken_without_gradients", "linf", "l2"),
    *("source_succeeded", "source_zero_gradient", "source_steps_without_gradient"),
    "source_loss_stuck",
)
"""Columns that a report uses, where the attack records them."""

_NEVER = np.iinfo(np.int64).max
_LOSS_TOLERANCE = 1e-3
"""Change of a cross entropy that rounding may explain; of a small one it is a share of it."""
_LOSS_SHARE = 0.01
_LOSS_ROUNDING = 3e-7
"""Of a cross entropy near 0 in single precision."""
_ROUNDING = 1e-9
"""A figure is the difference of two shares; one of 0.01 may be stored a little larger."""
_POINTS = 100
"""Points of a curve at most, beside that of 0 iterations."""


@dataclass(frozen=True)
class Rule:
    """A check as `reference/attack_checks.csv` describes it.

    Attributes:
        threshold: a fraction; what is above it is a warning.
        needs: names of `AttackTraits` without which it says nothing about an attack.
        second_run: command line words of a run to compare with, which `{norm}` and `{eps}` of the
            attack fill; empty where it needs none, or the run's own words with one changed.
        paper: where it comes from.
        meaning: what the figure is, and what it means above the threshold.
    """

    name: str
    threshold: float
    needs: tuple[str, ...]
    second_run: str
    paper: str
    meaning: str

    def applies_to(self, traits: AttackTraits) -> bool:
        """Whether it says something about such an attack."""
        return all(getattr(traits, name) for name in self.needs)


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        figure: a fraction (0.01 is one point of accuracy); None where it could not be found.
        detail: what it rests on, or why there is none.
        command: command line of the run that is missing, empty where none would help.
    """

    figure: float | None
    detail: str
    command: str = ""


@dataclass(frozen=True)
class Check:
    """A check with its outcome.

    Attributes:
        figure, threshold: fractions; a figure above the threshold is a warning.
        explanation: what the figure is, and what it means above the threshold.
        detail: what it rests on, or why there is none.
        command: command line of the run that is missing, empty where none is.
        paper: where the check comes from.
    """

    name: str
    verdict: Verdict
    figure: float | None
    threshold: float
    explanation: str
    detail: str
    command: str
    paper: str


@dataclass(frozen=True)
class AttackReport:
    """The attack of one run.

    Attributes:
        accuracy: by the published rule, see `oodbench.metrics.adversarial`.
        strict_accuracy: share of the pictures that were never misclassified.
        iterations: after which the curves are given, from 0 to the last.
        accuracy_after: accuracy after these iterations, by the published rule.
        strict_accuracy_after: likewise by the strict rule.
        checks: those that need no other run.
        n_left_out: pictures that the attack left out, which nothing here counts.
    """

    accuracy: Score
    strict_accuracy: Score
    iterations: list[int]
    accuracy_after: list[float]
    strict_accuracy_after: list[float]
    checks: list[Check]
    n_left_out: int = 0


@cache
def rules() -> Mapping[str, Rule]:
    """All checks by name, in their order."""
    return {
        row["name"]: Rule(
            row["name"],
            float(row["threshold"]),
            tuple(row["needs"].split()),
            row["second_run"],
            row["paper"],
            row["meaning"],
        )
        for row in read_table("attack_checks.csv")
    }


def attack_report(records: pd.DataFrame, traits: AttackTraits) -> AttackReport:
    """Report on one run.

    Args:
        records: rows of an attacked run, at least one that is not left out, with `label`,
            `prediction` (under attack), `clean_prediction`, `attack_succeeded` and
            `attack_iterations`, and where the attack has them the other ones of `COLUMNS`.
        traits: of the attack.
    """
    n_all, records = len(records), attacked_only(records)
    published, strict = wrong_after(records), wrong_after(records, strict=True)
    last = _last_iteration(records)
    # Where only the end was judged, the curve has no points between.
    points = 1 if traits.judges_last_iterate and "first_error" not in records else _POINTS
    iterations = np.unique(np.linspace(0, last, min(last, points) + 1).round().astype(np.int64))
    # A success can come later than the last failure ends where runs have no fixed length.
    ends = np.where(iterations == last, _NEVER - 1, iterations)
    return AttackReport(
        rate(accurate(records)),
        rate(strictly_accurate(records)),
        iterations.tolist(),
        [float((published > end).mean()) for end in ends],
        [float((strict > end).mean()) for end in ends],
        [
            judged(rules()[name], finding)
            for name, finding in _findings(records, traits).items()
            if rules()[name].applies_to(traits)
        ],
        n_all - len(records),
    )


def _findings(records: pd.DataFrame, traits: AttackTraits) -> dict[str, Finding]:
    made = records if traits.on_scored_network else _on_the_source(records)
    return {
        "still falling at the last iteration": _still_falling(records, traits),
        "loss moved the wrong way": _wrong_way(made),
        "gradient of zero": _zero_gradient(made),
        "broken without gradients alone": _broken_without_gradients(records),
        "failures that are misclassified anyway": _misclassified_anyway(records),
        "successes that the scored prediction contradicts": _contradicted(records),
    }


def _on_the_source(records: pd.DataFrame) -> pd.DataFrame:
    """What the attack that made the pictures on another network recorded of its gradients."""
    known = {
        "source_succeeded": "attack_succeeded",
        "source_zero_gradient": "zero_gradient",
        "source_steps_without_gradient": "steps_without_gradient",
        "source_loss_stuck": "loss_stuck",
    }
    found = records[["attack_iterations", *(name for name in known if name in records)]]
    return found.rename(columns=known)


def judged(rule: Rule, finding: Finding) -> Check:
    """The check's verdict: a warning where the figure is above the threshold."""
    verdict: Verdict = "pass"
    if finding.figure is None:
        verdict = "not checked"
    elif finding.figure > rule.threshold + _ROUNDING:
        verdict = "warn"
    return Check(
        rule.name,
        verdict,
        finding.figure,
        rule.threshold,
        rule.meaning,
        finding.detail,
        finding.command,
        rule.paper,
    )


def strictly_accurate(records: pd.DataFrame) -> Flags:
    """Whether neither the clean picture nor any that the attack tried was misclassified, `(n,)`.

    Where the attack does not record `first_error`, of all it tried only what it returned is known.
    """
    clean = records["clean_prediction"].to_numpy() == records["label"].to_numpy()
    flags: Flags = accurate(records) & clean
    if "first_error" in records:
        flags &= records["first_error"].to_numpy() < 0
    return flags


def resists_within(records: pd.DataFrame, norm: str, radius: float) -> Flags:
    """`strictly_accurate`, where a success further from the clean picture than a radius is none.

    Args:
        records: of an attack without a radius, with the distances `linf` and `l2`.
        norm: linf or l2.
        radius: in [0, 1] pixel units.
    """
    clean = records["clean_prediction"].to_numpy() == records["label"].to_numpy()
    return np.asarray(clean & (strictly_accurate(records) | (records[norm].to_numpy() > radius)))


def wrong_after(records: pd.DataFrame, *, strict: bool = False) -> NDArray[np.int64]:
    """Iterations after which a picture no longer counts as accurate, int64 `(n,)`.

    0 where it did not before the attack, the largest int64 where it always does.

    Args:
        records: see `attack_report`.
        strict: a picture is lost at its first misclassification, not at the attack's success.
    """
    lost = records["attack_iterations"].to_numpy().astype(np.int64)
    if strict and "first_error" in records:
        first = records["first_error"].to_numpy().astype(np.int64)
        lost = np.where(first >= 0, np.minimum(first, lost), lost)
    clean = records["clean_prediction"].to_numpy() == records["label"].to_numpy()
    kept = strictly_accurate(records) if strict else accurate(records)
    return np.asarray(np.where(kept, _NEVER, np.where(clean, lost, 0)))


def _last_iteration(records: pd.DataFrame) -> int:
    """How long the attack went on where it failed; where it never did, its longest success."""
    iterations = records["attack_iterations"]
    failed = iterations[~records["attack_succeeded"].to_numpy(dtype=bool)]
    return int((failed if len(failed) else iterations).max())


def _still_falling(records: pd.DataFrame, traits: AttackTraits) -> Finding:
    if records["attack_succeeded"].all():
        return Finding(0.0, "The attack succeeded on every picture.")
    last = _last_iteration(records)
    if last < 2:
        return Finding(None, f"The attack has {last} iterations: no curve.")
    curves = {} if traits.judges_last_iterate else {"published": wrong_after(records)}
    if "first_error" in records:
        curves["strict"] = wrong_after(records, strict=True)
    if not curves:
        return Finding(None, "The attack judges its last iterate alone: no curve.")
    before = 9 * last // 10
    falls = {
        name: float(((lost > before) & (lost < _NEVER)).mean()) for name, lost in curves.items()
    }
    figures = " and ".join(f"{_percent(fall)} by the {name} rule" for name, fall in falls.items())
    return Finding(max(falls.values()), f"After iteration {before} of {last}: {figures}.")


def _wrong_way(records: pd.DataFrame) -> Finding:
    ended = _recorded(records, "attack_loss", "clean_loss")
    if not ended and not _recorded(records, "loss_stuck"):
        return Finding(None, "The attack records no loss, or the run was made before it did.")
    attacked = records[records["attack_iterations"] > 0]
    if attacked.empty:
        return _nothing_attacked()
    wrong = np.zeros(len(attacked), dtype=bool)
    details = []
    if ended:
        further, of = _ended_further(attacked)
        wrong |= further
        details.append(f"{_counted(further)}; cross entropy {of}")
    if _recorded(records, "loss_stuck"):
        failed = ~attacked["attack_succeeded"].to_numpy(dtype=bool)
        stuck = failed & attacked["loss_stuck"].to_numpy(dtype=bool)
        wrong |= stuck
        details.append(f"{_counted(stuck)} resisted, and some run never came nearer than its start")
    return Finding(float(wrong.mean()), f"{'. '.join(details)}.")


def _ended_further(attacked: pd.DataFrame) -> tuple[Flags, str]:
    """Whether the cross entropy ended further from the goal than the clean picture's, and of what.

    That of a sure prediction is small, and so is what it can lose.
    """
    clean = attacked["clean_loss"].to_numpy(dtype=np.float64)
    found = attacked["attack_loss"].to_numpy(dtype=np.float64)
    tolerance = np.minimum(_LOSS_TOLERANCE, _LOSS_SHARE * clean) + _LOSS_ROUNDING
    if "target" in attacked:
        return found > clean + tolerance, "of the target, which is to fall"
    return found < clean - tolerance, "of the label, which is to rise"


def _zero_gradient(records: pd.DataFrame) -> Finding:
    if not _recorded(records, "zero_gradient"):
        return Finding(None, "The attack does not record it.")
    attacked = records[records["attack_iterations"] > 0]
    if attacked.empty:
        return _nothing_attacked()
    first = attacked["zero_gradient"].to_numpy(dtype=bool)
    later = np.zeros_like(first)
    if _recorded(records, "steps_without_gradient"):
        failed = ~attacked["attack_succeeded"].to_numpy(dtype=bool)
        later = ~first & failed & (attacked["steps_without_gradient"].to_numpy() > 0)
    more = f"; at a later step of {int(later.sum())} more that resisted" if later.any() else ""
    return Finding(float((first | later).mean()), f"{_counted(first)} at the first step{more}.")


def _broken_without_gradients(records: pd.DataFrame) -> Finding:
    if not _recorded(records, "broken_without_gradients"):
        return Finding(None, "The run was made before it was recorded.")
    flags = records["broken_without_gradients"].to_numpy(dtype=bool)
    parts = records["broken_by"].value_counts() if "broken_by" in records else pd.Series(dtype=int)
    counts = ", ".join(f"{parts[part]} by part {part}" for part in sorted(parts.index) if part > 0)
    return Finding(float(flags.mean()), f"{_counted(flags)}{f' ({counts})' if counts else ''}.")


def _misclassified_anyway(records: pd.DataFrame) -> Finding:
    published, strict = accurate(records), strictly_accurate(records)
    anyway = published & ~strict
    return Finding(
        float(anyway.mean()),
        f"{_counted(anyway)}; accuracy {_percent(published.mean())} by the published rule, "
        f"{_percent(strict.mean())} by the strict one.",
    )


def _contradicted(records: pd.DataFrame) -> Finding:
    if not _recorded(records, "attack_contradicted"):
        return Finding(None, "The run was made before it was recorded.")
    flags = records["attack_contradicted"].to_numpy(dtype=bool)
    return Finding(float(flags.mean()), f"{_counted(flags)}, which count as failures.")


def _recorded(records: pd.DataFrame, *names: str) -> bool:
    """Whether there are such columns in all rows: a run may have begun before there were."""
    return all(name in records and bool(records[name].notna().all()) for name in names)


def _nothing_attacked() -> Finding:
    return Finding(None, "No picture was attacked: all were at the goal before.")


def _counted(flags: Flags) -> str:
    return f"{int(flags.sum())} of {len(flags)} pictures"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
