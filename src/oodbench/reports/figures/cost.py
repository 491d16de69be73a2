"""What each run took: pictures a second, and time."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from oodbench.core.files import read_json
from oodbench.reports.figures.dots import draw_mark, name_rows
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.legends import mark_of
from oodbench.reports.figures.marks import title_of
from oodbench.reports.figures.style import TWO_COLUMNS, colour, marker, new_drawing, say
from oodbench.runs.results import RunResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_MOST_ROWS = 40


def cost(shown: Mapping[str, Mapping[str, RunResult]]) -> list[Figure]:
    """One figure of all runs that have computed something; none where run.json of all is missing.

    Args:
        shown: runs by benchmark and name.
    """
    rows = [
        row
        for runs in shown.values()
        for name, run in runs.items()
        if (row := _row(name, run)) is not None
    ]
    rows.sort(key=lambda row: " (" in str(row["model"]))  # what was done as usual goes first
    return [_figure(pd.DataFrame(rows))] if rows else []


def _row(name: str, run: RunResult) -> dict[str, object] | None:
    content = read_json(run.paths.info)
    sessions = content.get("sessions") if isinstance(content, dict) else None
    told = [one for one in sessions or [] if _is_told(one)]
    items, seconds = (sum(one[field] for one in told) for field in ("items", "seconds"))
    if not items or not seconds:
        return None
    return {
        "model": name,
        "benchmark": title_of(run),
        "items": items,
        "seconds": seconds,
        "items a second": items / seconds,
        "engine": _all(told, "computed_by") or _all(told, "engine"),
        "device": _all(told, "device"),
        "host": _all(told, "host"),
    }


def _is_told(session: Any) -> bool:
    return isinstance(session, dict) and all(
        isinstance(session.get(field), int | float) for field in ("items", "seconds")
    )


def _all(sessions: Sequence[Mapping[str, Any]], field: str) -> str:
    """What the sessions say, each thing once."""
    return ", ".join(dict.fromkeys(str(one[field]) for one in sessions if one.get(field)))


def _figure(table: pd.DataFrame) -> Figure:
    ranked = table.sort_values("items a second")
    low, high = ranked.iloc[0], ranked.iloc[-1]
    hours = table["seconds"].sum() / 3600
    total = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"
    devices = ", ".join(dict.fromkeys(table["device"]))
    left = table["model"].nunique() - _MOST_ROWS
    more = f" {left} more rows are in the numbers alone." if left > 0 else ""
    return Figure(
        name="cost",
        section="Cost",
        title="Pictures a second",
        caption=(
            f"Pictures (clips of videos) that each run computed a second, on {devices}; all runs "
            f"together took {total}. Loading, preprocessing and attacks are part of it.{more}"
        ),
        description=(
            f"{len(table)} runs, from {low['items a second']:.2g} a second ({low['model']} on "
            f"{low['benchmark']}) to {high['items a second']:.3g} ({high['model']} on "
            f"{high['benchmark']})."
        ),
        table=table,
        draw=partial(_draw, table),
    )


def _draw(table: pd.DataFrame) -> "Drawing":
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    names = list(dict.fromkeys(table["model"]))[:_MOST_ROWS]
    benchmarks = list(dict.fromkeys(table["benchmark"]))
    drawing = new_drawing(0.85 * TWO_COLUMNS, max(24 + 3.4 * len(names), 12 + 4 * len(benchmarks)))
    axes = drawing.add_subplot()
    name_rows(axes, names)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    for row in table[table["model"].isin(names)].to_dict("records"):
        number = benchmarks.index(row["benchmark"])
        (mark,) = draw_mark(
            axes,
            row["items a second"],
            names.index(row["model"]),
            colour=colour(number),
            marker=marker(number),
            whole=True,
            size=3.5,
        )
        say(
            mark,
            f"{row['model']} on {row['benchmark']}: {row['items a second']:.3g} a second, "
            f"{row['seconds']:.0f} s with {row['engine']} on {row['device']}",
        )
    axes.set_xlabel("Pictures (clips) a second")
    axes.grid(axis="x")
    handles = [mark_of(name, colour(at), marker(at)) for at, name in enumerate(benchmarks)]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0)
    return drawing
