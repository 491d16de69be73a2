"""A result as a few lines for the terminal."""

from oodbench.metrics.score import format_score
from oodbench.runs.naming.difference import difference_text
from oodbench.runs.results import RunResult

_NAMED = 5
"""Skipped items that are named."""


_REPORT = "oodbench-table --attack-report says why"


def describe(result: RunResult) -> str:
    """Headline scores with 95 % intervals, what they rest on, and where the files are."""
    scores = result.scores.get("", {})
    width = max((len(name) for name in scores), default=0)
    lines = [_title(result)]
    lines += [f"  {name:<{width}}  {format_score(score)}" for name, score in scores.items()]
    if len(result.splits) > 1 and scores:
        shown = f"the {result.n_images} items of {len(result.splits)} splits show"
        lines.append(f"  n counts different pictures, which {shown}")
    lines += [f"  note: {note}" for note in result.notes]
    if result.trained_on:
        lines.append(f"  trained on {result.trained_on}, too")
    if warned := result.attack_warnings:
        lines.append(f"  the attack's checks warn: {', '.join(warned)}: {_REPORT}")
    if result.skipped:
        lines.append(f"  skipped: {_skipped(result)}")
    lines.append(f"  {result.paths.result if result.directory.name else result.key}")
    return "\n".join(lines)


def headline(result: RunResult) -> str:
    """The headline score on one line."""
    score = result.scores.get("", {}).get(result.headline)
    shown = f"  {result.headline}  {format_score(score)}" if score is not None else ""
    return f"{_title(result)}{shown}"


def _title(result: RunResult) -> str:
    """Which run it is, and what has to be known of it."""
    difference = f" ({difference_text(result.difference)})" if result.difference else ""
    return f"{result.model} × {result.benchmark}{difference}{_marks(result)}"


def _skipped(result: RunResult) -> str:
    """How many items could not be read, and the first of them by name."""
    images = [item["image"] for item in result.skipped]
    named = ", ".join(images[:_NAMED]) + (", …" if len(images) > _NAMED else "")
    n_items = sum(int(split["n_items"]) for split in result.splits.values())
    return f"{len(images)} of {n_items} items could not be read and are left out: {named}"


def _marks(result: RunResult) -> str:
    marks = []
    if result.status != "complete":
        marks.append(f"partial: {result.n_images} of {result.n_expected}")
    if not result.is_count_known:
        marks.append("official count unknown")
    if result.demo:
        marks.append("demo data")
    if result.extension:
        marks.append("extension of the published protocol")
    return f"  [{'; '.join(marks)}]" if marks else ""
