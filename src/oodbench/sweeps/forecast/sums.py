"""The forecast of a sweep as sums: a row for each benchmark, or for each model."""

from collections.abc import Iterable, Sequence

from oodbench.core.columns import aligned
from oodbench.sweeps.forecast.needs import Need
from oodbench.sweeps.forecast.times import Times

FIELDS = ("benchmark", "model")
"""What runs can be summed by: fields of a run that have a name."""

ALL = "all"
_NUMBERS = ("runs", "pictures", "10^12 multiply-adds", "hours")
_LEGEND = """\
pictures (frames of clips) to do. hours: of this machine, one run after the other.
–: not timed. Benchmarks with an attack (≤): as if every picture withstood it to the last step."""


def sums_text(needs: Sequence[Need], times: Times | None, field: str) -> str:
    """The table, its last row for all runs, and what the columns mean.

    Runs of which something is not known count in `runs` alone, with a `+` behind the sums.

    Args:
        needs: of every run.
        times: None where there was no calibration.
        field: one of `FIELDS`.
    """
    seconds = times.seconds if times else [None] * len(needs)
    groups: dict[str, list[tuple[Need, float | None]]] = {}
    for need, time in zip(needs, seconds, strict=True):
        name = "–" if need.run is None else str(getattr(need.run, field).name)
        groups.setdefault(name, []).append((need, time))
    everything = [one for group in groups.values() for one in group]
    rows = [_row(name, group) for name, group in [*groups.items(), (ALL, everything)]]
    lines = aligned([(field, *_NUMBERS), *rows], right=range(1, 1 + len(_NUMBERS)))
    speeds = [
        f"{speed.model}: {speed.macs / 1e9:.1f} GMACs a second by {speed.engine}."
        for speed in (times.speeds if times else ())
    ]
    return "\n".join([*lines, "", _LEGEND, *speeds])


def _row(name: str, group: Sequence[tuple[Need, float | None]]) -> tuple[str, ...]:
    needs = [need for need, _ in group]
    most = "≤ " if any(need.attacked and need.to_do for need in needs) else ""
    return (
        name,
        str(len(needs)),
        _sum((need.to_do for need in needs), 1, 0),
        _sum((need.macs for need in needs), 1e12, 1),
        most + _sum((time for _, time in group), 3600, 1),
    )


def _sum(values: Iterable[float | None], unit: float, digits: int) -> str:
    """What is known of it, with a mark where that is not all."""
    listed = list(values)
    known = [value for value in listed if value is not None]
    if not known:
        return "–"
    return f"{sum(known) / unit:,.{digits}f}{'+' if len(known) < len(listed) else ''}"
