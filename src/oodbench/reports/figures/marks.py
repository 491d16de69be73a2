"""Which runs figures show, what they are called, and how those that need care are marked."""

from collections.abc import Iterable, Sequence

from oodbench.core.errors import visible
from oodbench.core.schema import ColumnConfig
from oodbench.core.shipped import shipped_column
from oodbench.reference import published_models
from oodbench.reports.tables.rows import Row, chosen_runs
from oodbench.runs.results import RunResult

LONGEST = 30
"""Letters of a name in a drawing; the whole of it is in the table."""

_PUBLISHED_LAST = len(published_models())


def shown_runs(results: Sequence[RunResult]) -> dict[str, dict[str, RunResult]]:
    """The runs that the cells of the wide table show, by benchmark and name.

    Returns:
        Benchmarks in the order of the table, names in that of its rows, see `name_of`.
    """
    found: dict[str, dict[str, RunResult]] = {}
    chosen = chosen_runs(results)
    for row, benchmark in sorted(chosen, key=lambda place: (_place(place[1]), _order(place[0]))):
        found.setdefault(benchmark, {})[name_of(row)] = chosen[row, benchmark]
    return found


def name_of(row: Row) -> str:
    """The model, and in brackets what was done otherwise than usual."""
    return visible(f"{row.model} ({row.difference})" if row.difference else row.model)


def short(name: str) -> str:
    """A name as a drawing has place for it."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def metric_words(metric: str) -> str:
    """The name of a score in a drawing."""
    return metric.replace("_", " ").replace("top1", "top-1").replace("top5", "top-5")


def file_name(text: str) -> str:
    """Lower-case letters, digits and underscores of a text, for the names of figures."""
    return "".join(mark if mark.isascii() and mark.isalnum() else "_" for mark in text.lower())


def column_of(run: RunResult) -> ColumnConfig:
    """How the run's benchmark appears, as the shipped config says, else as the run does."""
    return shipped_column(run.benchmark) or run.column


def title_of(run: RunResult) -> str:
    """What the run's benchmark is called."""
    return visible(column_of(run).title or run.benchmark)


def marks(run: RunResult) -> list[str]:
    """Why a number of the run is not to be taken as it stands; empty where nothing is."""
    found = []
    if run.demo:
        found.append("demo data")
    elif run.status != "complete":
        found.append(f"partial: {run.n_images} of {run.n_expected}")
    if run.extension:
        found.append("extension")
    return found


def said_marks(run: RunResult) -> str:
    """The marks behind a number, such as ` (partial: 5 of 10)`; "" where there are none."""
    found = marks(run)
    return f" ({', '.join(found)})" if found else ""


def note(runs: Iterable[RunResult], mark: str = "Hollow marks") -> str:
    """Sentence of a caption on the marked runs; "" where there are none.

    Args:
        runs: that the figure shows.
        mark: how they are drawn.
    """
    kinds = {
        "demo data, not comparable with published numbers": lambda run: run.demo,
        "partial runs": lambda run: not run.demo and run.status != "complete",
        "extensions, which the published run did not have": lambda run: run.extension,
    }
    shown = list(runs)
    said = []
    for kind, holds in kinds.items():
        if count := sum(map(holds, shown)):
            said.append(f"{kind} ({'all' if count == len(shown) else count})")
    return f" {mark}: {'; '.join(said)}." if said else ""


def _order(row: Row) -> tuple[int, str, str]:
    published = published_models()
    place = published.index(row.model) if row.model in published else _PUBLISHED_LAST
    return (place, row.model, row.difference)


def _place(benchmark: str) -> tuple[bool, int, str]:
    column = shipped_column(benchmark)
    order = None if column is None else column.order
    return (order is None, order or 0, benchmark)
