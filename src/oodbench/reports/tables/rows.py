"""Which row of the tables a run stands in, and which of several runs a cell shows."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from oodbench.core.schema import PipelineConfig
from oodbench.runs.key import ATTACK_BATCHING, PIL, PIPELINE
from oodbench.runs.naming.difference import (
    PIPELINE_FIELDS,
    changed_leaves,
    difference_text,
    spelled,
)
from oodbench.runs.results import RunFailure, RunResult

_SHA256 = re.compile(r"(sha256:[0-9a-f]{8})[0-9a-f]+")


class Row(NamedTuple):
    """A row of the wide table: a model, and what was done otherwise than by its names."""

    model: str
    difference: str


def row_of(run: RunResult | RunFailure) -> Row:
    """The row as the run itself says."""
    return Row(run.model, difference_text(run.difference))


@dataclass
class _Entry:
    """A run, and what it has otherwise than the first of its row or cell."""

    result: RunResult
    words: list[str] = field(default_factory=list)


def rows_of(results: Sequence[RunResult]) -> list[Row]:
    """The row of each run: runs that were made otherwise are told apart, see `told_apart`."""
    return [
        Row(result.model, difference_text(words))
        for result, words in zip(results, told_apart(results), strict=True)
    ]


def told_apart(results: Sequence[RunResult]) -> list[list[str]]:
    """What each run has otherwise, as overrides of the command line.

    What a run says of itself is not enough where the config behind a name has changed meanwhile,
    such as a model of the user's own that was trained again. Beside the first of the row, see
    `merit`, such runs stand in rows that say what they have otherwise: all runs of another model,
    and of other runs those that would share a cell.
    """
    entries = [_Entry(result) for result in results]
    for row in _grouped((row_of(entry.result), entry) for entry in entries):
        _name_others(row, "model")
        cells = [((entry.result.benchmark, tuple(entry.words)), entry) for entry in row]
        for cell in _grouped(cells):
            _name_others(cell, "")
    return [[*entry.result.difference, *entry.words] for entry in entries]


def chosen_runs(results: Sequence[RunResult]) -> dict[tuple[Row, str], RunResult]:
    """The run that each cell shows, by row and benchmark: the first by `merit`."""
    return chosen_of(zip(rows_of(results), results, strict=True))


Placed = TypeVar("Placed", bound=Hashable)


def chosen_of(
    placed: Iterable[tuple[Placed, RunResult]],
) -> dict[tuple[Placed, str], RunResult]:
    """As `chosen_runs`, of runs with their rows; a run may stand in several."""
    chosen: dict[tuple[Placed, str], RunResult] = {}
    for row, result in placed:
        place = (row, result.benchmark)
        chosen[place] = max(chosen.get(place, result), result, key=merit)
    return chosen


def merit(result: RunResult) -> tuple[bool, bool, int, float, str]:
    """Real data go before demo data, complete runs before partial ones, larger ones before smaller
    ones, then newer ones before older ones."""
    complete = result.status == "complete"
    return (not result.demo, complete, result.n_images, result.modified, result.key)


def pipeline_of(result: RunResult) -> dict[str, str]:
    """The fields of the run's pipeline, as the command line takes them and "" for null; none where
    its preprocessing is a class of another kind."""
    node = result.config.get("preprocessing", {})
    if node.get("_target_") != PIPELINE:
        return {}
    usual = vars(PipelineConfig())
    values = {name: node.get(name, usual[name]) for name in PIPELINE_FIELDS}
    return {name: "" if value is None else spelled(value) for name, value in values.items()}


def _grouped(keyed: Iterable[tuple[Hashable, _Entry]]) -> list[list[_Entry]]:
    groups: dict[Hashable, list[_Entry]] = defaultdict(list)
    for key, entry in keyed:
        groups[key].append(entry)
    return list(groups.values())


def _name_others(entries: Sequence[_Entry], part: str) -> None:
    """Add to each run's words what its config has otherwise than the first run's.

    Args:
        part: "model", or "" for all that is not the model.
    """
    if len(entries) == 1:
        return
    usual = _part(max((entry.result for entry in entries), key=merit), part)
    for entry in entries:
        if (own := _part(entry.result, part)) != usual:
            found = changed_leaves(part, own, usual)
            entry.words += [_SHA256.sub(r"\1…", word) for word in found]


def _part(result: RunResult, part: str) -> Mapping[str, Any]:
    config = result.config
    if part:
        return dict(config.get(part) or {})
    pipeline = _without(config.get("preprocessing"), "name")
    if pipeline.get("backend") == PIL:
        del pipeline["backend"]
    attack = _without(config.get("attack"), "name", *ATTACK_BATCHING)
    return {
        "preprocessing": pipeline,
        "attack": attack,
        "benchmark": config.get("benchmark") or {},
        **({"seed": config.get("seed")} if attack else {}),
    }


def _without(node: Mapping[str, Any] | None, *names: str) -> dict[str, Any]:
    return {name: value for name, value in (node or {}).items() if name not in names}
