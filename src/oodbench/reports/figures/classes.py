"""How unevenly a model's accuracy is spread over the classes."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from oodbench.metrics.diagnostics.class_counts import ClassCounts
from oodbench.reference import class_names
from oodbench.reports.figures.confidence import counts_the_same
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.lines import Curve, draw_curves
from oodbench.reports.figures.marks import file_name, marks, note, said_marks, title_of
from oodbench.reports.figures.style import TWO_COLUMNS, new_drawing
from oodbench.runs.results import RunResult
from oodbench.runs.summaries.summary import Summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_FEWEST = 5
"""Pictures that a class has on average where its accuracy says something."""

_WORST = 5
"""Classes of each model that the table names."""


def classes(runs: Mapping[str, RunResult], summaries: Mapping[str, Summary]) -> list[Figure]:
    """One figure of a benchmark with several pictures of each class of ImageNet.

    Args:
        runs: of the benchmark, by name.
        summaries: of those that have one.
    """
    counts = {}
    for name, summary in summaries.items():
        if summary.classes is None or summary.reliability is None:
            continue
        enough = summary.n >= _FEWEST * len(summary.classes.n)
        if enough and counts_the_same(runs[name], summary):
            counts[name] = summary.classes
    return [_figure({name: runs[name] for name in counts}, counts)] if counts else []


def _figure(runs: Mapping[str, RunResult], counts: Mapping[str, ClassCounts]) -> Figure:
    run = next(iter(runs.values()))
    table = pd.DataFrame(
        row for name, own in counts.items() for row in _rows(name, own, runs[name])
    )
    most = max(len(own.n) for own in counts.values())
    worst = table.sort_values("accuracy (%)", kind="stable").iloc[0]
    return Figure(
        name=f"classes_{file_name(run.benchmark)}",
        section="Classes",
        title=f"{title_of(run)}: accuracy by class",
        caption=(
            "Accuracy of each class, the hardest at the left. The numbers name the "
            f"{_WORST} hardest classes of each model." + note(runs.values())
        ),
        description=(
            f"Curves of the sorted accuracies of {most} classes, of "
            f"{len(counts)} model{'s' if len(counts) > 1 else ''}. The hardest is "
            f"{worst['class']} with {worst['accuracy (%)']:.0f} % of {worst['n']} pictures "
            f"({worst['model']})."
        ),
        table=table,
        draw=partial(_draw, runs, counts),
    )


def _rows(name: str, own: ClassCounts, run: RunResult) -> list[dict[str, object]]:
    accuracy = np.array(own.right) / np.array(own.n)
    names = class_names()
    return [
        {
            "model": name,
            "class": names[own.label[place]].replace("_", " "),
            "label": own.label[place],
            "accuracy (%)": 100 * float(accuracy[place]),
            "right": own.right[place],
            "n": own.n[place],
            "marks": ", ".join(marks(run)),
        }
        for place in np.argsort(accuracy, kind="stable")[:_WORST].tolist()
    ]


def _draw(runs: Mapping[str, RunResult], counts: Mapping[str, ClassCounts]) -> "Drawing":
    drawing = new_drawing(0.7 * TWO_COLUMNS, 62)
    axes = drawing.add_subplot()
    curves = []
    for name, own in counts.items():
        accuracy = np.sort(100 * np.array(own.right) / np.array(own.n))
        tenth = float(np.quantile(accuracy, 0.1))
        words = f"a tenth below {tenth:.0f} %{said_marks(runs[name])}"
        share = np.linspace(0, 100, len(accuracy)) if len(accuracy) > 1 else np.array([100.0])
        whole = not marks(runs[name])
        curves.append(
            Curve(name, share.tolist(), accuracy.tolist(), -float(accuracy.mean()), whole, words)
        )
    draw_curves(axes, curves)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xlabel("Classes, hardest first (%)")
    axes.set_ylabel("Accuracy (%)")
    axes.grid()
    return drawing
