"""The long table: one row per score."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from oodbench.metrics.score import Score
from oodbench.reports.derived import Derived
from oodbench.reports.tables.cells import comparison
from oodbench.reports.tables.rows import pipeline_of, rows_of
from oodbench.runs.naming.difference import PIPELINE_FIELDS, difference_text, spelled_in_pixels
from oodbench.runs.results import RunFailure, RunResult

COLUMNS = (
    "model",
    "benchmark",
    "preprocessing",
    "attack",
    "eps",
    "norm",
    *PIPELINE_FIELDS,
    "split",
    "metric",
    "value",
    "low",
    "high",
    "n",
    "n_expected",
    "unit",
    "published",
    "source",
    "key",
    "status",
    "difference",
    "note",
    "in_table",
    "trained_on",
)

_ORDER = ["model", "benchmark", "preprocessing", "attack", "difference", "key", "split", "metric"]


def long_table(
    results: Sequence[RunResult],
    failures: Sequence[RunFailure],
    derived: Derived,
    shown: Collection[tuple[Path, str]] = (),
    other_names: Mapping[Path, Sequence[str]] = MappingProxyType({}),
) -> pd.DataFrame:
    """All scores of all runs, sorted; it depends on nothing but the arguments.

    Args:
        results, failures: of all runs.
        derived: scores that need a second run.
        shown: those that the wide table shows, by the run's folder and the metric.
        other_names: further preprocessings that a run stands for, by its folder.

    Returns:
        Columns `COLUMNS`. `value`, `low`, `high` and `published` are in `unit`; `n` is what a score
        rests on (pictures, decisions, clips), `n_expected` the official count of its split, empty
        for groups of pictures that are no split. `published` is there where the run did what the
        published one did. `status`: complete, partial, failed (one row without a value), demo
        (never complete) or extension (complete, but the published run did not support it).
        `eps`, such as `8/255`, and `norm` are the attack's. `square_crop` to `interpolation` are
        the run's pipeline, empty for a preprocessing of another kind. `in_table`: whether a cell of
        the wide table shows the score. A run that has several preprocessings' names, as they do the
        same here, has its rows under each of them; the first counts as shown.
        `trained_on`: what the model has seen beyond ImageNet-1k, where its config says so.
        `note`: where the run is a part, how many items of how many the row's split, or for a mean
        all splits that it is over, hold; how many items of these could not be read; which checks of
        its attack warn; then what the score itself says.
    """
    rows = [
        {
            **row,
            "preprocessing": name,
            "difference": place.difference,
            "in_table": row["in_table"] and name == result.preprocessing,
        }
        for result, place in zip(results, rows_of(results), strict=True)
        for row in _rows(result, derived, shown)
        for name in (result.preprocessing, *other_names.get(result.directory, ()))
    ]
    rows += [_failed(failure) for failure in failures]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table = table.astype(dict.fromkeys(("n", "n_expected"), "Int64"))
    return table.sort_values(_ORDER, kind="stable", ignore_index=True)


def status(result: RunResult) -> str:
    """The one word that says most about a run."""
    if result.demo:
        return "demo"
    if result.status == "complete" and result.extension:
        return "extension"
    return result.status


def partial_note(result: RunResult, split: str) -> str:
    """How much of the data a score of a split or group of splits rests on; "" where on all."""
    counts = _splits_of(result, split)
    scored = sum(int(count["n"]) for count in counts)
    expected = sum(int(count["n_expected"]) for count in counts)
    missing = [
        name for name in result.missing_splits if split == "" or name.startswith(f"{split}/")
    ]
    if result.status == "complete" or (scored == expected and not missing):
        return ""
    absent = f", splits missing: {len(missing)}" if missing else ""
    return f"partial: {scored} of {expected}{absent}"


def _radius(result: RunResult) -> dict[str, str]:
    """Of the attack, empty where it has none."""
    traits = result.attack_traits
    if traits is None or traits.eps is None:
        return {"eps": "", "norm": ""}
    return {"eps": spelled_in_pixels(traits.eps), "norm": traits.norm}


def _notes(result: RunResult, split: str) -> list[str]:
    warned = ", ".join(result.attack_warnings)
    doubt = f"the attack's checks warn: {warned}" if warned else ""
    return [partial_note(result, split), skipped_note(result, split), doubt]


def skipped_note(result: RunResult, split: str) -> str:
    """How many items of a split or group of splits could not be read; "" where all could."""
    n_skipped = sum(len(counts.get("skipped", ())) for counts in _splits_of(result, split))
    return f"skipped, could not be read: {n_skipped}" if n_skipped else ""


def _splits_of(result: RunResult, split: str) -> list[dict[str, Any]]:
    """The counts of a split or of the splits of a group; of all where it is no such thing."""
    return [
        counts
        for name, counts in result.splits.items()
        if split in ("", name) or name.startswith(f"{split}/")
    ] or list(result.splits.values())


def _rows(
    result: RunResult, derived: Derived, shown: Collection[tuple[Path, str]]
) -> Iterator[dict[str, Any]]:
    whole = {**result.scores.get("", {}), **derived.get(result.directory, {})}
    of_run = {
        "model": result.model,
        "benchmark": result.benchmark,
        "attack": result.attack,
        **_radius(result),
        **pipeline_of(result),
        "key": result.key,
        "status": status(result),
        "source": "",
        "trained_on": result.trained_on or "",
    }
    for split, scores in {**result.scores, "": whole}.items():
        notes = _notes(result, split)
        of_split = {**of_run, "split": split, "n_expected": _expected(result, split)}
        for metric, score in scores.items():
            yield {
                **of_split,
                "in_table": split == "" and (result.directory, metric) in shown,
                "note": "; ".join(filter(None, [*notes, score.note])),
                **_row(result, split, metric, score),
            }


def _row(result: RunResult, split: str, metric: str, score: Score) -> dict[str, Any]:
    published = comparison(result, metric) if split == "" else None
    row: dict[str, Any] = {
        "metric": metric,
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "n": score.n,
        "unit": score.unit,
    }
    if published is not None:
        other = "" if published.comparable else ", other protocol"
        row |= {"published": published.value, "source": published.source + other}
    return row


def _failed(failure: RunFailure) -> dict[str, Any]:
    empty = dict.fromkeys(
        ("eps", "norm", "split", "metric", "unit", "source", "note", "trained_on"), ""
    )
    return {
        **empty,
        "model": failure.model,
        "benchmark": failure.benchmark,
        "preprocessing": failure.preprocessing,
        "attack": failure.attack,
        "key": failure.key,
        "difference": difference_text(failure.difference),
        "status": "failed",
        "in_table": False,
    }


def _expected(result: RunResult, split: str) -> int | None:
    """Official count: of the split, or of the largest one that a score combines; None: unknown."""
    if not result.is_count_known:
        return None
    if split in result.splits:
        return int(result.splits[split]["n_expected"])
    inside = [
        int(counts["n_expected"])
        for name, counts in result.splits.items()
        if split == "" or name.startswith(f"{split}/")
    ]
    return max(inside, default=None)
