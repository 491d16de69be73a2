"""Compare finished runs with what others measured, and say so as text and JSON."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oodbench.core.columns import aligned
from oodbench.metrics.score import TO_POINTS, Score
from oodbench.reports.derived import Derived, derive
from oodbench.reports.published.comparison import Comparison, Measurement, compare_with_sources
from oodbench.reports.published.pipelines import run_pipeline
from oodbench.reports.published.sources import is_measured, references
from oodbench.runs.naming.difference import difference_text
from oodbench.runs.results import RunResult, no_runs, read_results

VERDICTS = ("unexplained", "explained", "pass")

_COLUMNS = (
    "verdict",
    "model",
    "benchmark",
    "metric",
    "preprocessing",
    "measured",
    "source",
    "theirs",
    "diff.",
    "tol.",
    "reason",
)
_COMPARED = ("preprocessing=", "preprocessing.", "engine.")
"""What a difference may begin with that a comparison takes into account or that moves little."""

_RIGHT = {_COLUMNS.index(name) for name in ("measured", "theirs", "diff.", "tol.")}


@dataclass(frozen=True)
class NotChecked:
    """A run, or a score of one, that is compared with nothing.

    Attributes:
        metric: empty where it is the whole run.
    """

    model: str
    benchmark: str
    metric: str
    preprocessing: str
    key: str
    reason: str


@dataclass(frozen=True)
class CheckedRuns:
    """All comparisons, the worst first, and what was left out.

    Attributes:
        not_checked: runs and scores that could have been compared, had they been whole.
        without_reference: scores of which no source has a value.
        problems: one line for every file of a run that could not be used.
    """

    comparisons: Sequence[Comparison]
    not_checked: Sequence[NotChecked]
    without_reference: Sequence[NotChecked]
    problems: Sequence[str]

    def count(self, verdict: str) -> int:
        """How many comparisons have a verdict."""
        return sum(comparison.verdict == verdict for comparison in self.comparisons)

    @property
    def summary(self) -> str:
        """Counts in one line."""
        rows = "row" if len(self.not_checked) == 1 else "rows"
        return (
            f"{self.count('pass')} pass, {self.count('explained')} explained, "
            f"{self.count('unexplained')} unexplained; {len(self.not_checked)} {rows} not checked, "
            f"{len(self.without_reference)} without a reference"
        )


def check_runs(output_root: Path, normaliser: Path | None = None) -> CheckedRuns:
    """Compare every score of the complete runs that differ at most in their preprocessing.

    Args:
        output_root: holds `runs/`.
        normaliser: AlexNet's scores on ImageNet-P, see `oodbench.benchmarks.normaliser`.

    Raises:
        DataError: there is no finished run, or the normaliser file is damaged.
    """
    stored = read_results(output_root)
    results = stored.results
    if not results:
        raise no_runs(output_root, stored.problems)
    reasons = {result.directory: _reason_to_leave_out(result) for result in results}
    checked = [result for result in results if not reasons[result.directory]]
    not_checked = [
        _left_out(result, "", reason) for result in results if (reason := reasons[result.directory])
    ]
    without_reference: list[NotChecked] = []
    comparisons: list[Comparison] = []
    # The others would cost many records to read, and nobody has a value to set beside them.
    problems = list(stored.problems)
    derived = derive(
        checked,
        normaliser,
        lambda result, metric: is_measured(result.benchmark, metric),
        problems=problems,
    )
    for result in checked:
        for metric, score in _scores(result, derived):
            if not references(result.model, result.benchmark, metric):
                without_reference.append(_left_out(result, metric, "no source has a value"))
            elif math.isnan(score.value):
                not_checked.append(_left_out(result, metric, score.note or "no value"))
            else:
                comparisons += compare_with_sources(_measurement(result, metric, score))
    return CheckedRuns(
        sorted(comparisons, key=_worst_first), not_checked, without_reference, problems
    )


def content_of(check: CheckedRuns) -> dict[str, Any]:
    """The check for JSON; values, differences and tolerances are in percentage points."""
    comparisons = []
    for comparison in check.comparisons:
        ours, theirs = asdict(comparison.measured), asdict(comparison.reference)
        comparisons.append(
            {
                "verdict": comparison.verdict,
                **{name: ours[name] for name in ("model", "benchmark", "metric", "key", "n")},
                "preprocessing": ours["preprocessing"],
                "pipeline": ours["pipeline"],
                "measured": ours["value"],
                "source": theirs["source"],
                "source_value": theirs["value"],
                "source_pipeline": theirs["pipeline"],
                "source_protocol": theirs["protocol"],
                "origin": theirs["origin"],
                "difference": comparison.difference,
                "tolerance": comparison.tolerance,
                "reason": comparison.reason,
            }
        )
    return {
        "summary": {verdict: check.count(verdict) for verdict in reversed(VERDICTS)},
        "comparisons": comparisons,
        "not_checked": [asdict(row) for row in check.not_checked],
        "without_reference": [asdict(row) for row in check.without_reference],
    }


def text_of(check: CheckedRuns, *, verbose: bool = False) -> str:
    """The check as an aligned table, the worst rows first, and the counts in the last line.

    Args:
        verbose: also give the reasons of rows that pass, and list scores without a reference.
    """
    parts = []
    if check.comparisons:
        rows = [_row(comparison, verbose=verbose) for comparison in check.comparisons]
        parts.append("\n".join(aligned([_COLUMNS, *rows], right=_RIGHT)))
    left_out = [*check.not_checked, *(check.without_reference if verbose else ())]
    if left_out:
        parts.append("\n".join(_line(row) for row in left_out))
    return "\n\n".join([*parts, check.summary])


def _reason_to_leave_out(result: RunResult) -> str:
    if result.demo:
        return "demo data"
    if result.status != "complete":
        return f"partial: {result.n_images} of {result.n_expected} pictures"
    if result.weights is not None and result.weights.startswith("random:"):
        return "random weights"
    others = [word for word in result.difference if not word.startswith(_COMPARED)]
    return f"another run: {difference_text(others)}" if others else ""


def _scores(result: RunResult, derived: Derived) -> Iterator[tuple[str, Score]]:
    yield from result.scores.get("", {}).items()
    yield from derived.get(result.directory, {}).items()


def _measurement(result: RunResult, metric: str, score: Score) -> Measurement:
    return Measurement(
        model=result.model,
        benchmark=result.benchmark,
        metric=metric,
        preprocessing=_preprocessing(result),
        pipeline=run_pipeline(result),
        value=score.value * TO_POINTS[score.unit],
        n=score.n,
        key=result.key,
    )


def _left_out(result: RunResult, metric: str, reason: str) -> NotChecked:
    return NotChecked(
        result.model, result.benchmark, metric, _preprocessing(result), result.key, reason
    )


def _preprocessing(result: RunResult) -> str:
    """The config's name, or the fields that were changed in the published one."""
    if not any(word.startswith("preprocessing.") for word in result.difference[:1]):
        return result.preprocessing
    return difference_text(word.removeprefix("preprocessing.") for word in result.difference)


def _worst_first(comparison: Comparison) -> tuple[Any, ...]:
    beyond = 0.0
    if comparison.difference is not None and comparison.tolerance is not None:
        beyond = abs(comparison.difference) - comparison.tolerance
    ours = comparison.measured
    names = (ours.model, ours.benchmark, ours.metric, ours.key, comparison.reference.source)
    return (VERDICTS.index(comparison.verdict), -beyond, *names)


def _row(comparison: Comparison, *, verbose: bool) -> tuple[str, ...]:
    ours, theirs = comparison.measured, comparison.reference
    said = verbose or comparison.verdict != "pass"
    # Adding 0.0 turns the -0.0 of a rounded small difference into 0.0.
    difference = None if comparison.difference is None else round(comparison.difference, 2) + 0.0
    return (
        comparison.verdict,
        ours.model,
        ours.benchmark,
        ours.metric,
        ours.preprocessing,
        f"{ours.value:.2f}",
        theirs.source,
        f"{theirs.value:.{2 if theirs.decimals is None else min(theirs.decimals, 2)}f}",
        "–" if difference is None else f"{difference:+.2f}",
        "–" if comparison.tolerance is None else f"{comparison.tolerance:.2f}",
        comparison.reason if said else "",
    )


def _line(row: NotChecked) -> str:
    metric = f" {row.metric}" if row.metric else ""
    return (
        f"not checked: {row.model} × {row.benchmark}{metric} "
        f"(preprocessing={row.preprocessing}, {row.key}): {row.reason}"
    )
