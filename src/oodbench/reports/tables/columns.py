"""Columns of the wide table: one a benchmark, titled and captioned as its config says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from oodbench.core.schema import ColumnConfig, ColumnMetric
from oodbench.core.shipped import published_columns, shipped_column
from oodbench.runs.results import RunFailure, RunResult

MODEL = "Model"
"""Title of the first column."""


@dataclass(frozen=True)
class Column:
    """One benchmark.

    Attributes:
        title: of no other column.
        metrics: what the cell shows, the first of them that the run has, with their short names.
        captions: what the column is, by metric; "" where there is nothing to say.
    """

    title: str
    benchmark: str
    metrics: Mapping[str, str]
    captions: Mapping[str, str]
    lower_is_better: bool


def table_columns(
    results: Sequence[RunResult], failures: Sequence[RunFailure]
) -> tuple[Column, ...]:
    """Those of the published table, whether they have runs or not, then the other benchmarks.

    The others stand in the order that their configs give, then by name. What a benchmark that does
    not come with oodbench says of itself is taken from its newest result, else from a failure. A
    title that another column has gives way to the benchmark's name.
    """
    published = published_columns()
    headlines = {result.benchmark: result.headline for result in _oldest_first(results)}
    said = {failure.benchmark: failure.column for failure in failures}
    said |= {result.benchmark: result.column for result in _oldest_first(results)}
    others = {
        name: shipped_column(name) or column
        for name, column in said.items()
        if name not in published
    }
    columns: list[Column] = []
    taken = {MODEL}
    for name, config in [*published.items(), *sorted(others.items(), key=_place)]:
        titles = (config.title or name, name, f"{config.title} ({name})")
        title = next(title for title in titles if title not in taken)
        taken.add(title)
        columns.append(_column(name, title, config, headlines.get(name, "")))
    return tuple(columns)


def caption_sentences(columns: Iterable[tuple[Column, str | None]]) -> list[str]:
    """Sentences that say what the columns are.

    Args:
        columns: each with the metric that all its cells show; None where they show several.
    """
    lower: list[str] = []
    others: list[str] = []
    for column, metric in columns:
        if meaning := _meaning(column, metric):
            (lower if column.lower_is_better else others).append(f"{column.title} is {meaning}")
    by_number = {1: "", 2: " for both"}.get(len(lower), " for all")
    sentence = f"{', '.join(lower)}; lower is better{by_number}."
    return [*([sentence] if lower else []), *(f"{other}." for other in others)]


def _oldest_first(results: Sequence[RunResult]) -> list[RunResult]:
    return sorted(results, key=lambda result: (result.modified, result.key))


def _place(named: tuple[str, ColumnConfig]) -> tuple[bool, int, str]:
    name, column = named
    return column.order is None, column.order or 0, name


def _column(name: str, title: str, config: ColumnConfig, headline: str) -> Column:
    metrics = config.metrics or {headline: ColumnMetric()}
    return Column(
        title,
        name,
        {metric: said.name or metric for metric, said in metrics.items()},
        {metric: said.caption for metric, said in metrics.items()},
        config.lower_is_better,
    )


def _meaning(column: Column, metric: str | None) -> str:
    """What the column is, "" where nothing is said of it; where lower is better its metric is."""
    shown = list(column.metrics) if metric is None else [metric]
    said = [column.captions[one] for one in shown if column.captions[one]]
    if not said and column.lower_is_better:
        said = [column.metrics[one] for one in shown]
    return ", or ".join(said) + (", as each cell says" if len(said) > 1 else "")
