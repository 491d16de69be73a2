"""What the page says, as the names that its template reads."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from oodbench.core.versions import version_text
from oodbench.reports.page.cards import cards
from oodbench.reports.page.drawn import Drawn
from oodbench.reports.page.sessions import Cost
from oodbench.reports.page.table import page_table
from oodbench.reports.page.wording import figure_text, time_text
from oodbench.reports.tables.captions import DEMO_WARNING
from oodbench.reports.tables.long import status
from oodbench.reports.tables.rows import row_of
from oodbench.reports.tables.wide import wide_view
from oodbench.reports.tables.write import Stored
from oodbench.runs.naming.difference import difference_text
from oodbench.runs.results import RunResult

SPREAD_SECTION = "Choices that move the numbers"
COST_SECTION = "Cost"
"""Sections that hold more than figures; those of the same name stand in them."""


class Fact(NamedTuple):
    """A number at the head of the page, and what it counts."""

    number: str
    what: str


class CostRow(NamedTuple):
    """A run, the number of its card, and what it took; with texts and what they sort by."""

    run: RunResult
    number: int
    otherwise: str
    cost: Cost
    time: str
    rate: str
    memory: str


def page_content(
    output_root: Path,
    stored: Stored,
    costs: Mapping[Path, Cost],
    spreads: Sequence[dict[str, Any]],
    figures: Sequence[Drawn],
    problems: Sequence[str],
) -> dict[str, Any]:
    """All that the template reads.

    Args:
        output_root: that the report is of.
        stored: all its runs.
        costs: what each run took, by its folder.
        spreads: see `oodbench.reports.page.kept_spreads`.
        figures: drawn.
        problems: one line for everything that could not be used.
    """
    results, failures = stored.results, stored.failures
    numbers = {run.directory: number for number, run in enumerate(results)}
    places = {
        f"{run.benchmark}/{run.model}/{run.key}": number for number, run in enumerate(results)
    }
    models = sorted({run.model for run in results})
    benchmarks = sorted({run.benchmark for run in results})
    return {
        "version": version_text(),
        "root": str(output_root),
        "title": _title(models, benchmarks, len(failures)),
        "newest": _day(max((run.modified for run in results), default=0.0)),
        "facts": _facts(stored, len(models), len(benchmarks)),
        "warning": DEMO_WARNING if any(run.demo for run in results) else "",
        "table": page_table(
            wide_view(results, failures, stored.derived, None, stored.other_names), numbers
        )
        if results
        else None,
        "sections": _sections(figures, bool(spreads), bool(results)),
        "spread_section": SPREAD_SECTION,
        "cost_section": COST_SECTION,
        "spreads": spreads,
        "run_at": places,
        "costs": _cost_rows(results, numbers, costs),
        "total_time": time_text(sum(cost.seconds for cost in costs.values() if cost.seconds > 0)),
        "failures": [
            (failure, row_of(failure).difference)
            for failure in sorted(failures, key=lambda one: (one.model, one.benchmark, one.key))
        ],
        "problems": problems,
        "cards": cards(
            [
                (
                    run,
                    {**run.scores.get("", {}), **stored.derived.get(run.directory, {})},
                    costs[run.directory],
                )
                for run in results
            ]
        ),
    }


def _title(models: Sequence[str], benchmarks: Sequence[str], n_failed: int) -> str:
    """What the page is of, in a line."""
    if not models:
        return f"{_count(n_failed, 'run')} failed, none finished"
    of_models = models[0] if len(models) == 1 else f"{len(models)} models"
    on = benchmarks[0] if len(benchmarks) == 1 else f"{len(benchmarks)} benchmarks"
    return f"{of_models} on {on}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _facts(stored: Stored, n_models: int, n_benchmarks: int) -> list[Fact]:
    states = Counter(map(status, stored.results))
    n_runs, n_failed = len(stored.results), len(stored.failures)
    counted = [
        (n_models, "model" if n_models == 1 else "models"),
        (n_benchmarks, "benchmark" if n_benchmarks == 1 else "benchmarks"),
        (n_runs, "finished run" if n_runs == 1 else "finished runs"),
        *((states[name], said) for name, said in _STATES.items() if states[name]),
        *([(n_failed, "failed")] if n_failed else []),
    ]
    return [Fact(f"{number:,}", what) for number, what in counted]


_STATES = {
    "complete": "complete",
    "extension": "extensions",
    "partial": "partial",
    "demo": "on demo data",
}


def _day(modified: float) -> str:
    return datetime.fromtimestamp(modified, UTC).strftime("%Y-%m-%d") if modified else ""


def _sections(
    figures: Sequence[Drawn], has_spreads: bool, has_results: bool
) -> list[tuple[str, list[Drawn]]]:
    """Headings in order, each once, with their figures."""
    found: dict[str, list[Drawn]] = {}
    for figure in figures:
        found.setdefault(figure.section, []).append(figure)
    if has_spreads:
        found.setdefault(SPREAD_SECTION, [])
    cost = found.pop(COST_SECTION, [])
    return [*found.items(), *([(COST_SECTION, cost)] if has_results else [])]


def _cost_rows(
    results: Sequence[RunResult], numbers: Mapping[Path, int], costs: Mapping[Path, Cost]
) -> list[CostRow]:
    return [
        CostRow(
            run,
            numbers[run.directory],
            difference_text(run.difference),
            cost,
            time_text(cost.seconds),
            figure_text(cost.rate, ".3g"),
            figure_text(cost.memory, ".1f"),
        )
        for run in results
        for cost in [costs[run.directory]]
    ]
