"""The honesty report of attacked runs: in result.json, and as text beside the other runs."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

import numpy as np

from oodbench.core.errors import DataError
from oodbench.metrics.adversarial import attacked_only
from oodbench.metrics.attack_checks import AttackReport, Check, attack_report
from oodbench.metrics.score import format_score
from oodbench.reports.attacks.second_runs import Readings, by_subject, compare, subject
from oodbench.runs.attacked import read_attacked, records_of
from oodbench.runs.naming.difference import difference_text
from oodbench.runs.results import RunResult

_CURVE = 10
"""Points of a curve in the text, beside that of 0 iterations."""


_WIDTH = 110
_INDENT = 15 * " "


def report_text(results: Sequence[RunResult], problems: list[str] | None = None) -> str:
    """The reports of all attacked runs, as plain text.

    Args:
        results: of finished runs.
        problems: a line is added for each run whose records are damaged; None: it is an error.

    Raises:
        DataError: there is no attacked run whose records are whole, or one whose are not.
    """
    readings, groups = Readings(), by_subject(results)
    blocks = []
    for result in results:
        if result.attack_traits is None:
            continue
        try:
            records = records_of(result, read_attacked)
        except DataError as error:
            if problems is None:
                raise
            problems.append(f"not reported: {error}")
            continue
        if len(attacked_only(records)):
            report = attack_report(records, result.attack_traits)
            others = groups.get(subject(result), ())
            blocks.append("\n".join(_lines(result, report, compare(result, others, readings))))
    if not blocks:
        none = "no finished run with an attack; run oodbench … attack=… first"
        raise DataError("\n".join([*(problems or ()), none]))
    return "\n\n".join(blocks) + "\n"


def _lines(result: RunResult, report: AttackReport, comparisons: list[Check]) -> Iterator[str]:
    difference = f" ({difference_text(result.difference)})" if result.difference else ""
    marks = [f"{result.n_images} of {result.n_expected} pictures", f"run {result.key}"]
    yield f"{result.model} × {result.benchmark}, {result.attack}{difference}"
    if report.n_left_out:
        marks.append(f"{report.n_left_out} left out: attack.target is their label")
    yield f"  {', '.join(marks + ['demo data'] * result.demo)}"
    yield f"  accuracy, published rule  {format_score(report.accuracy)}"
    yield f"  accuracy, strict rule     {format_score(report.strict_accuracy)}"
    yield from _curves(report)
    for check in (*report.checks, *comparisons):
        yield f"  {check.verdict:<11}  {check.name}{_figure(check)}"
        warning = f" The figure is the {check.explanation}." if check.verdict == "warn" else ""
        yield from wrap(
            f"{check.detail}{warning} [{check.paper}]",
            _WIDTH,
            initial_indent=_INDENT,
            subsequent_indent=_INDENT,
        )
        if check.command:
            yield f"{_INDENT}run: {check.command}"


def _curves(report: AttackReport) -> Iterator[str]:
    last = len(report.iterations) - 1
    shown = np.unique(np.linspace(0, last, min(last, _CURVE) + 1).round().astype(int))
    rows = {
        "after iterations": [f"{report.iterations[place]}" for place in shown],
        "published rule, %": [f"{100 * report.accuracy_after[place]:.1f}" for place in shown],
        "strict rule, %": [f"{100 * report.strict_accuracy_after[place]:.1f}" for place in shown],
    }
    for name, cells in rows.items():
        yield f"  {name:<18}" + "".join(f"{cell:>7}" for cell in cells)


def _figure(check: Check) -> str:
    if check.figure is None:
        return ""
    return f": {100 * check.figure:.1f} % (warns above {100 * check.threshold:g} %)"
