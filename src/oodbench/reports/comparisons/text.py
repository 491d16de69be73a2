"""Comparisons as lines for the terminal and as JSON."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from oodbench.core.columns import aligned
from oodbench.core.errors import visible
from oodbench.reference import class_names, geirhos_categories
from oodbench.reports.comparisons.compare import Compared, Comparison
from oodbench.reports.comparisons.words import cell_of, words_of
from oodbench.runs.naming.difference import difference_text
from oodbench.runs.results import RunResult, without_nan

_HEAD = (
    *("", "A", "B", "acc. A", "acc. B", "B − A", "95 %", "p", "p (Holm)"),
    *("only A", "only B", "pictures"),
)
_RIGHT = range(3, len(_HEAD))
_CAPTION = """\
acc.: share of right answers in percent on the pictures that both have. B − A: in points, with its
interval by a paired bootstrap. p: exact McNemar test; where each picture is shown several times, a
paired t-test over pictures. p (Holm): adjusted for {n} comparison{s}. only A, only B: pictures
that only the one got right, or more often."""
_SHOWN = 5
"""Classes that are listed on either side."""


def text_of(compared: Compared, n_flips: int = 0) -> str:
    """A line a comparison, the classes that change most, and so many pictures that flip.

    Args:
        compared: at least one comparison.
        n_flips: pictures listed a comparison; 0: none.
    """
    rows = [_HEAD, *(_row(one) for one in compared.comparisons)]
    n = len(compared.comparisons)
    lines = [*aligned(rows, right=_RIGHT), "", _CAPTION.format(n=n, s="" if n == 1 else "s")]
    for one in compared.comparisons:
        said = [*_notes(one), *_classes(one), *_pictures(one, n_flips)]
        lines += ["", _heading(one), *(f"  {line}" for line in said)] if said else []
    return "\n".join(lines)


def content_of(compared: Compared) -> list[dict[str, Any]]:
    """All comparisons as JSON, with every picture that flips."""
    return [_content(one) for one in compared.comparisons]


def _content(one: Comparison) -> dict[str, Any]:
    names = _names(one)
    flips = [
        {
            **row,
            "image": visible(row["image"]),
            **{side: names.get(row[side], str(row[side])) for side in ("label", "first", "second")},
        }
        for row in one.flips.to_dict("records")
    ]
    content: Any = without_nan(
        {
            "benchmark": one.first.benchmark,
            "first": _identity(one.first),
            "second": _identity(one.second),
            "accuracies": one.accuracies,
            "headline": one.first.headline,
            "headlines": one.headlines,
            **asdict(one.found),
            "p_value_holm": one.adjusted,
            "unpaired_pictures": one.n_unpaired,
            "flips": flips,
        }
    )
    return dict(content)


def _identity(run: RunResult) -> dict[str, str]:
    return {
        "model": run.model,
        "preprocessing": run.preprocessing,
        "attack": run.attack,
        "difference": difference_text(run.difference),
        "key": run.key,
        "status": run.status,
    }


def _row(one: Comparison) -> tuple[str, ...]:
    found = one.found
    interval = "" if math.isnan(found.low) else f"[{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    return (
        *(cell_of([one.first, one.second]), *labels_of(one.first, one.second)),
        *(f"{100 * share:.1f}" for share in one.accuracies),
        *(f"{100 * found.value:+.1f}", interval, _p(found.p_value), _p(one.adjusted)),
        *(str(found.only_first), str(found.only_second), str(found.n)),
    )


def _p(value: float) -> str:
    return "<0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.1 else f"{value:.2f}"


def labels_of(first: RunResult, second: RunResult) -> tuple[str, str]:
    """What tells two runs apart, in few words: of the first, of the second."""
    sides = [words_of(run) for run in (first, second)]
    differing = [name for name in sides[0] if sides[0][name] != sides[1][name]]
    one, other = (
        " ".join(side[name] or _usual(run, name) for name in differing).strip()
        for side, run in zip(sides, (first, second), strict=True)
    )
    return one or first.key, other or second.key


def _usual(run: RunResult, field: str) -> str:
    return f"{field}={getattr(run, field)}" if field in ("preprocessing", "attack") else ""


def _notes(one: Comparison) -> Iterator[str]:
    if one.same_run:
        yield f"both are the run {one.first.key}: they do the same"
    if one.n_unpaired:
        yield f"left out: {one.n_unpaired} pictures that only one of the runs has"
    if one.first.dataset_fingerprint != one.second.dataset_fingerprint:
        yield "the runs are on data sets that differ; pictures are paired by name"
    marks = [mark(run) for run in (one.first, one.second)]
    for side, said in zip("AB", marks, strict=True):
        if said and (marks[0] != marks[1] or side == "A"):
            yield said if marks[0] == marks[1] else f"{side} is {said}"
    if one.headlines is not None and not _are_accuracies(one):
        first, second = one.headlines
        yield f"{one.first.headline}: A {first:.4g}, B {second:.4g}"


def mark(run: RunResult) -> str:
    """What has to be said beside any number of a run; "" where nothing."""
    if run.demo:
        return "demo data"
    return "" if run.status == "complete" else f"partial: {run.n_images} of {run.n_expected}"


def _are_accuracies(one: Comparison) -> bool:
    pairs = zip(one.headlines or (), one.accuracies, strict=True)
    return all(math.isclose(score, accuracy) for score, accuracy in pairs)


def _heading(one: Comparison) -> str:
    return "{}: A {}, B {}".format(
        cell_of([one.first, one.second]), *labels_of(one.first, one.second)
    )


def _classes(one: Comparison) -> Iterator[str]:
    """The classes whose number of right answers changes most, by so many pictures."""
    names = _names(one)
    change = one.flips["gained"].map({True: 1, False: -1}).groupby(one.flips["label"]).sum()
    for word, signed in (("gains", change), ("loses", -change)):
        most = signed[signed > 0].sort_values(ascending=False, kind="stable").head(_SHOWN)
        if len(most):
            listed = ", ".join(f"{names[label]} {count}" for label, count in most.items())
            more = ", …" if (signed > 0).sum() > _SHOWN else ""
            yield f"B {word} pictures of: {listed}{more}"


def _pictures(one: Comparison, n_flips: int) -> Iterator[str]:
    names = _names(one)
    for row in one.flips.head(n_flips).to_dict("records"):
        label, first, second = (names.get(row[k], row[k]) for k in ("label", "first", "second"))
        yield f"{visible(row['image'])}: {label}: A {first}, B {second}"


def _names(one: Comparison) -> dict[Any, str]:
    """Of the labels: of ImageNet's classes, or of the 16 categories where stimuli are decided."""
    names = geirhos_categories() if one.of_categories else class_names()
    return dict(enumerate(names))
