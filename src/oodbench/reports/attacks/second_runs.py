"""Checks of an attacked run that need a second run of the same model on the same pictures."""

import json
import math
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.core.errors import DataError
from oodbench.metrics.adversarial import accurate, attacked_only
from oodbench.metrics.attack_checks import (
    Check,
    Finding,
    Rule,
    judged,
    resists_within,
    rules,
    strictly_accurate,
)
from oodbench.metrics.attack_traits import AttackTraits
from oodbench.runs.attacked import ReadRecords, item_counts, read_attacked, records_of
from oodbench.runs.naming.difference import spelled_in_pixels
from oodbench.runs.results import RunResult

_PICTURES = 1000
"""Pictures of a run that is named as missing: enough to compare with."""

Field = tuple[tuple[str, ...], Any]
"""Keys that lead to a value of the attack's config, and the value."""

_USUAL_RADIUS = {"linf": 8 / 255, "l2": 3.0}
"""Of attacks on ImageNet, for a run to compare with one that has none."""

_NEEDED = (
    *("label", "prediction", "clean_prediction", "attack_succeeded", "first_error"),
    *("linf", "l2"),
)
"""Columns that a comparison looks at."""

_NO_NUMBERS = ("name", "memory", "micro_batch")
"""Keys of an attack that do not change any number."""


@dataclass(frozen=True)
class Beside:
    """A second run of the same model on pictures that both runs have.

    Attributes:
        run: the second run.
        own, theirs: accuracy on these pictures by the published rule, fractions.
        own_strict, theirs_strict: by the strict rule.
        n: how many pictures these are.
    """

    run: RunResult
    own: float
    theirs: float
    own_strict: float
    theirs_strict: float
    n: int

    @property
    def on(self) -> str:
        """What the comparison rests on, in words."""
        return f"on {self.n} pictures (run {self.run.key})"


@dataclass(frozen=True)
class SecondRunCheck:
    """A check that needs a second run.

    Attributes:
        comparable: whether the second run, of the same pictures and model, is such a one.
        find: what the run and the second ones (at least one) say.
        missing: command line words of a second run; none where there cannot be one.
    """

    comparable: Callable[[RunResult, RunResult], bool]
    find: Callable[[RunResult, Sequence[Beside]], Finding]
    missing: Callable[[RunResult, Rule], list[str]]


@dataclass(frozen=True)
class Reading:
    """The attacked pictures of one run.

    Attributes:
        index: split, picture and frame of each.
        records: their columns that a comparison looks at.
        accurate, strict: whether each counts as accurate by either rule, bool `(n,)`.
    """

    index: pd.Index
    records: pd.DataFrame
    accurate: NDArray[np.bool_]
    strict: NDArray[np.bool_]

    @classmethod
    def of(cls, records: pd.DataFrame, index: pd.Index) -> "Reading":
        """Of records with this index; there is at least one."""
        kept = records[[name for name in _NEEDED if name in records]]
        return cls(index, kept, accurate(records), strictly_accurate(records))

    @cached_property
    def shares(self) -> tuple[float, float]:
        """Of accurate pictures by the published and by the strict rule."""
        return float(self.accurate.mean()), float(self.strict.mean())

    def part(self, index: pd.Index) -> "Reading":
        """Of these pictures alone."""
        return Reading.of(self.records.loc[index], index)


class Readings:
    """The records of attacked runs, each read once, of which only what comparisons need is kept.

    Args:
        read: reads records; None: from the disk.
    """

    def __init__(self, read: ReadRecords | None = None) -> None:
        self._read = read or read_attacked
        self._known: dict[Path, Reading | None] = {}
        self._subjects: dict[Path, str] = {}
        self._last = pd.Index([])

    def of(self, result: RunResult) -> Reading | None:
        """Those of a run; None where there are none, or they are damaged."""
        place = result.directory
        if place not in self._known:
            try:
                self._known[place] = self._made(records_of(result, self._read))
            except DataError:
                self._known[place] = None
        return self._known[place]

    def subject(self, result: RunResult) -> str:
        """See `subject`."""
        place = result.directory
        if place not in self._subjects:
            self._subjects[place] = subject(result)
        return self._subjects[place]

    def _made(self, records: pd.DataFrame) -> Reading | None:
        attacked = attacked_only(records)
        if attacked.empty:
            return None
        if not attacked.index.equals(self._last):  # else one for all runs on the same pictures
            self._last = attacked.index
        return Reading.of(attacked, self._last)


def by_subject(results: Sequence[RunResult]) -> dict[str, list[RunResult]]:
    """The attacked runs of known weights, those together that may be compared."""
    groups: dict[str, list[RunResult]] = {}
    for result in results:
        if result.attack_traits is not None and result.weights is not None:
            groups.setdefault(subject(result), []).append(result)
    return groups


def compare(
    result: RunResult, results: Sequence[RunResult], readings: Readings | None = None
) -> list[Check]:
    """Checks of an attacked run beside the other runs.

    Set against each other are runs of the same model, weights, pipeline, benchmark and data, on the
    pictures that both have. A second run whose records are damaged does not count.

    Args:
        result: the run.
        results: all finished runs, or those of its subject.
        readings: the records that were read so far.

    Returns:
        Those that make sense for the attack; `not checked` where no other run is there, with the
        command that makes one.
    """
    known = readings or Readings()
    same = [other for other in results if _same_subject(result, other, known)]
    found: dict[Path, Beside | None] = {}

    def beside(other: RunResult) -> Beside | None:
        if other.directory not in found:
            found[other.directory] = _beside(result, other, known)
        return found[other.directory]

    checks = []
    for name, comparison in _COMPARISONS.items():
        rule = rules()[name]
        if not rule.applies_to(_traits(result)):
            continue
        pairs = [beside(other) for other in same if comparison.comparable(result, other)]
        others = [other for other in pairs if other is not None]
        if others:
            checks.append(judged(rule, comparison.find(result, others)))
        elif words := comparison.missing(result, rule):
            missing = Finding(None, "There is no such run yet.", _command(result, words))
            checks.append(judged(rule, missing))
    return checks


def _beside(result: RunResult, other: RunResult, known: Readings) -> Beside | None:
    own, theirs = known.of(result), known.of(other)
    if own is None or theirs is None:
        return None
    if own.index is not theirs.index:
        common = own.index.intersection(theirs.index)
        if common.empty:
            return None
        own, theirs = own.part(common), theirs.part(common)
    return Beside(
        run=other,
        own=own.shares[0],
        theirs=theirs.shares[0],
        own_strict=_resisting(own, _traits(result), _traits(other)),
        theirs_strict=theirs.shares[1],
        n=len(own.index),
    )


def _resisting(own: Reading, traits: AttackTraits, others: AttackTraits) -> float:
    """Share by the strict rule; under an attack without a radius within that of the other one."""
    if traits.eps is None and others.eps is not None and others.norm in own.records:
        return float(resists_within(own.records, others.norm, others.eps).mean())
    return own.shares[1]


def _same_subject(result: RunResult, other: RunResult, known: Readings) -> bool:
    return (
        other.attack_traits is not None
        and other.key != result.key
        and other.weights is not None
        and known.subject(other) == known.subject(result)
    )


def subject(result: RunResult) -> str:
    """What two runs must share to be compared, as text; the data by their content."""
    pipeline = {k: value for k, value in result.config["preprocessing"].items() if k != "name"}
    facts = (result.benchmark, result.dataset_fingerprint, result.weights, result.precision)
    shared = (*facts, result.demo, result.config["model"], pipeline)
    return json.dumps(shared, sort_keys=True)


def _fields(node: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[Field]:
    """Leaves of an attack's config that change numbers."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _fields(value, (*above, key))
        elif key not in _NO_NUMBERS:
            yield (*above, key), value


def _same_attack(result: RunResult, other: RunResult, *free: str) -> bool:
    """Whether the attacks differ in nothing but the keys `free`; the seed is a key."""

    def fixed(run: RunResult) -> dict[tuple[str, ...], Any]:
        fields = dict(_fields(run.config["attack"]))
        fields[("seed",)] = run.config["seed"]
        return {keys: value for keys, value in fields.items() if keys[-1] not in free}

    return fixed(result) == fixed(other)


def _traits(run: RunResult) -> AttackTraits:
    """Of an attacked run."""
    assert run.attack_traits is not None
    return run.attack_traits


def _eps(run: RunResult) -> float:
    """NaN where the attack has none."""
    eps = _traits(run).eps
    return math.nan if eps is None else eps


def _steps(run: RunResult) -> int | None:
    """The number of steps, None where the config has none."""
    value: Any = run.config["attack"]
    for key in _traits(run).steps_key.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return None if value is None else int(value)


def _without_gradients(result: RunResult, other: RunResult) -> bool:
    """At the same radius, or at any where this attack has none."""
    own, theirs = _traits(result), _traits(other)
    same = math.isclose(_eps(result), _eps(other)) if own.bounded else theirs.bounded
    return same and own.norm == theirs.norm and not theirs.needs_gradients


def _other_eps(result: RunResult, other: RunResult) -> bool:
    return _same_attack(result, other, "eps") and _eps(other) != _eps(result)


def _more_steps(result: RunResult, other: RunResult) -> bool:
    own, others = _steps(result), _steps(other)
    more = own is not None and others is not None and others > own
    return more and _same_attack(result, other, _traits(result).steps_key.split(".")[-1])


def _other_seed(result: RunResult, other: RunResult) -> bool:
    return _same_attack(result, other, "seed")


def _found_without_gradients(result: RunResult, others: Sequence[Beside]) -> Finding:
    def finding(other: Beside) -> Finding:
        detail = (
            f"{_percent(other.own_strict)}, under {other.run.attack} "
            f"{_percent(other.theirs_strict)} {other.on}."
        )
        return Finding(other.own_strict - other.theirs_strict, detail)

    return _largest(finding(other) for other in others)


def _rise_with_eps(result: RunResult, others: Sequence[Beside]) -> Finding:
    def finding(other: Beside) -> Finding:
        larger = _eps(other.run) > _eps(result)
        rise = other.theirs - other.own if larger else other.own - other.theirs
        detail = (
            f"{_percent(other.own)} at eps {spelled_in_pixels(_eps(result))}, "
            f"{_percent(other.theirs)} at {spelled_in_pixels(_eps(other.run))} {other.on}."
        )
        return Finding(rise, detail)

    return _largest(finding(other) for other in others)


def _found_by_more_steps(result: RunResult, others: Sequence[Beside]) -> Finding:
    most = _most_steps(others)
    return Finding(most.own - most.theirs, _of_steps(result, most))


def _rise_with_steps(result: RunResult, others: Sequence[Beside]) -> Finding:
    most = _most_steps(others)
    return Finding(most.theirs - most.own, _of_steps(result, most))


def _spread(result: RunResult, others: Sequence[Beside]) -> Finding:
    def finding(other: Beside) -> Finding:
        seeds = f"seeds {result.config['seed']} and {other.run.config['seed']}"
        detail = f"{_percent(other.own)} and {_percent(other.theirs)} with {seeds} {other.on}."
        return Finding(abs(other.own - other.theirs), detail)

    return _largest(finding(other) for other in others)


def _largest(findings: Iterable[Finding]) -> Finding:
    return max(findings, key=lambda finding: finding.figure or 0.0)


def _number_of_steps(run: RunResult) -> int:
    return _steps(run) or 0


def _most_steps(others: Sequence[Beside]) -> Beside:
    return max(others, key=lambda other: _number_of_steps(other.run))


def _of_steps(result: RunResult, other: Beside) -> str:
    return (
        f"{_percent(other.own)} after {_number_of_steps(result)} steps, {_percent(other.theirs)} "
        f"after {_number_of_steps(other.run)} {other.on}."
    )


def _other_attack_words(result: RunResult, rule: Rule) -> list[str]:
    """None of an attack with a part of this kind: that part has tried it."""
    traits = _traits(result)
    if traits.gradient_free_part:
        return []
    eps = _USUAL_RADIUS[traits.norm] if traits.eps is None else traits.eps
    return rule.second_run.format(norm=traits.norm, eps=spelled_in_pixels(eps)).split()


def _eps_words(result: RunResult, rule: Rule) -> list[str]:
    if "eps" not in result.config["attack"] or not 0 < _eps(result) < 1:
        return []
    words = [word for word in _attack_words(result) if not word.partition("=")[0].endswith(".eps")]
    return [*words, f"attack.eps={spelled_in_pixels(min(2 * _eps(result), 1.0))}"]


def _steps_words(result: RunResult, rule: Rule) -> list[str]:
    steps = _steps(result)
    if steps is None:
        return []
    return [*_attack_words(result), f"attack.{_traits(result).steps_key}={10 * steps}"]


def _seed_words(result: RunResult, rule: Rule) -> list[str]:
    return [*_attack_words(result), f"seed={result.config['seed'] + 1}"]


_COMPARISONS: Mapping[str, SecondRunCheck] = {
    "gradient-free attack finds no more": SecondRunCheck(
        _without_gradients, _found_without_gradients, _other_attack_words
    ),
    "larger eps does not raise accuracy": SecondRunCheck(_other_eps, _rise_with_eps, _eps_words),
    "more steps find no more": SecondRunCheck(_more_steps, _found_by_more_steps, _steps_words),
    "more steps do not raise accuracy": SecondRunCheck(_more_steps, _rise_with_steps, _steps_words),
    "random starts agree": SecondRunCheck(_other_seed, _spread, _seed_words),
}


def _attack_words(result: RunResult) -> list[str]:
    return [word for word in result.difference if not word.startswith("preprocessing")]


def _command(result: RunResult, words: Sequence[str]) -> str:
    """Command line of a run of the same model on the same data; of a word said twice the last."""
    protocol = result.config["benchmark"]["protocol"]
    root = [f"benchmark.root={protocol['root']}"] if "root" in protocol else []
    partial = ["data.allow_partial=true"] * (result.status != "complete")
    pipeline = [word for word in result.difference if word.startswith("preprocessing")]
    largest = max(item_counts(result).values())
    every = {
        word.partition("=")[0]: word
        for word in (
            f"model={result.model}",
            f"benchmark={result.benchmark}",
            *pipeline,
            *words,
            *root,
            *_output_root(result),
            *partial,
            f"limit={min(largest, _PICTURES)}",
        )
    }
    return shlex.join(["oodbench", *every.values()])


def _output_root(result: RunResult) -> list[str]:
    """Where the run is, so that the second one is found beside it."""
    root = result.directory.parents[3]
    return [] if root == Path("outputs") else [f"output_root={root}"]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
