"""The forecast of a sweep as text that fits a terminal, and as JSON."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from oodbench.core.columns import aligned
from oodbench.sweeps.forecast.needs import Need, all_problems
from oodbench.sweeps.forecast.parts import Parts
from oodbench.sweeps.forecast.times import Times

WIDTH = 120
UNKNOWN = "–"
ELLIPSIS = "…"

_TEXTS = 4
_HEADER = (
    "model", "benchmark", "preprocessing", "attack",
    "to do", "done", "GMACs", "time", "disk", "memory",
)  # fmt: skip

_LEGEND = """\
to do, done: pictures (frames of clips). GMACs: billions of multiply-adds of all that is to do.
disk: records. memory: an estimate of the peak."""
_ATTACKS = "Runs with an attack (≤): as if every picture withstood it to the last step."


def duration(seconds: float) -> str:
    """Such as `3 h 20 min`, `12 min` or `8 s`."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def byte_size(n_bytes: float) -> str:
    """Such as `1.9 MB`."""
    for unit in ("B", "kB", "MB"):
        if n_bytes < 999.5:
            return f"{n_bytes:.0f} B" if unit == "B" else f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} GB"


def forecast_text(needs: Sequence[Need], times: Times | None) -> str:
    """The table, what all runs need together, and what the columns mean.

    Args:
        needs: of every run.
        times: None where there was no calibration.
    """
    seconds = times.seconds if times else [None] * len(needs)
    rows = [_row(need, time) for need, time in zip(needs, seconds, strict=True)]
    lines = _aligned([_HEADER, *rows])
    lines += ["", _total(needs, seconds), *_bottlenecks(times), _LEGEND]
    if any(need.attacked for need in needs):
        lines.append(_ATTACKS)
    for speed in times.speeds if times else ():
        lines.append(f"{speed.model}: {speed.macs / 1e9:.1f} GMACs a second by {speed.engine}.")
    return "\n".join(lines)


def forecast_json(needs: Sequence[Need], times: Times | None) -> dict[str, Any]:
    """All numbers, for a file: counts, bytes, seconds and multiply-adds."""
    parts = times.parts if times else [None] * len(needs)
    return {
        "runs": [_entry(need, part) for need, part in zip(needs, parts, strict=True)],
        "speeds": [asdict(speed) for speed in times.speeds] if times else [],
        "problems": all_problems(needs),
    }


def _bottlenecks(times: Times | None) -> list[str]:
    """How many of the runs on an accelerator wait for what."""
    parts = [known for known in times.parts if known] if times else []
    waits = Counter(known.bottleneck for known in parts if known.at_once and known.seconds)
    if not waits:
        return []
    said = ", ".join(f"{name} in {count}" for name, count in waits.most_common())
    return [f"the slowest part of these runs, which the others wait for: {said}"]


def _entry(need: Need, parts: Parts | None) -> dict[str, Any]:
    cost = need.cost
    return {
        **dict(zip(_HEADER, _names(need), strict=False)),
        "to_do": need.to_do,
        "done": need.done,
        "gmacs_a_picture": cost.gmacs if cost else None,
        "gmacs": None if need.macs is None else need.macs / 1e9,
        "seconds": parts.seconds if parts else None,
        "loading_seconds": parts.loading if parts else None,
        "copying_seconds": parts.copying if parts else None,
        "network_seconds": parts.network if parts else None,
        "bottleneck": parts.bottleneck if parts and parts.seconds else None,
        "disk_bytes": need.disk,
        "memory_bytes": need.memory,
        "problems": list(need.problems),
    }


def _row(need: Need, seconds: float | None) -> tuple[str, ...]:
    most = "≤ " if need.attacked and need.to_do else ""
    return (
        *_names(need),
        _shown(need.to_do, str),
        _shown(need.done, str),
        _shown(need.macs, _gmacs),
        most + duration(seconds) if seconds is not None else UNKNOWN,
        _shown(need.disk, byte_size),
        _shown(need.memory, byte_size),
    )


def _names(need: Need) -> tuple[str, str, str, str]:
    if need.run is None:
        return UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN
    run = need.run
    return (
        run.model.name,
        run.benchmark.name,
        str(run.preprocessing["name"]),
        str(run.attack["name"]),
    )


def _total(needs: Sequence[Need], seconds: Sequence[float | None]) -> str:
    known = [need for need in needs if need.to_do is not None]
    waiting = len(needs) - len(known)
    timed = [time for time in seconds if time is not None]
    unknown = f" ({waiting} of them unknown)" if waiting else ""
    return (
        f"{len(needs)} runs{unknown}: {sum(need.to_do or 0 for need in known)} pictures to do, "
        f"{sum(need.done or 0 for need in known)} done, "
        f"{_gmacs(sum(need.macs or 0 for need in known))} GMACs\n"
        f"all together {f'about {duration(sum(timed))}, ' if timed else ''}"
        f"{byte_size(sum(need.disk or 0 for need in known))} of records; at most "
        f"{byte_size(max((need.memory or 0 for need in known), default=0))} of memory at once"
    )


def _gmacs(macs: float) -> str:
    gmacs = macs / 1e9
    if gmacs == 0 or gmacs >= 100:
        return f"{gmacs:.0f}" if gmacs < 1e7 else f"{gmacs:.2e}".replace("e+0", "e")
    return f"{gmacs:.3g}"


def _shown(value: Any, text: Callable[[Any], str]) -> str:
    return UNKNOWN if value is None else text(value)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names to the left, numbers to the right, the longest names cut until a line fits."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > WIDTH:
        widest = max(range(_TEXTS), key=lambda column: widths[column])
        widths[widest] -= 1
    cut = [[*map(_cut, row[:_TEXTS], widths[:_TEXTS]), *row[_TEXTS:]] for row in rows]
    return aligned(cut, right=range(_TEXTS, len(widths)))


def _cut(name: str, width: int) -> str:
    """The middle left out: names differ at their ends."""
    if len(name) <= width:
        return name
    left = (width - 1) // 2
    return name[:left] + ELLIPSIS + name[len(name) - (width - 1 - left) :]
