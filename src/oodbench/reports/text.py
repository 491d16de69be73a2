"""A result as a few lines for the terminal."""

import math

from oodbench.metrics.score import Score
from oodbench.runs.results import RunResult

SCALE = {"fraction": 100.0, "percent": 1.0, "distance": 1.0}
SUFFIX = {"fraction": " %", "percent": " %", "distance": ""}


def describe(result: RunResult) -> str:
    """Headline scores with 95 % intervals, what they rest on, and where the files are."""
    scores = result.scores.get("", {})
    width = max((len(name) for name in scores), default=0)
    lines = [
        f"{result.model} × {result.benchmark}"
        + (f" ({result.difference})" if result.difference else "")
        + _marks(result)
    ]
    lines += [f"  {name:<{width}}  {format_score(score)}" for name, score in scores.items()]
    lines += [f"  note: {note}" for note in result.notes]
    lines.append(f"  {result.directory / 'result.json' if result.directory.name else result.key}")
    return "\n".join(lines)


def format_score(score: Score) -> str:
    """Value, interval and count, such as `76.1 % [75.8, 76.5]  n=50000`."""
    scale, suffix = SCALE[score.unit], SUFFIX[score.unit]
    digits = 1 if suffix else 2
    if math.isnan(score.value):
        return f"–  ({score.note})" if score.note else "–"
    text = f"{score.value * scale:.{digits}f}{suffix}"
    if not math.isnan(score.low):
        text += f" [{score.low * scale:.{digits}f}, {score.high * scale:.{digits}f}]"
    text += f"  n={score.n}"
    return f"{text}  ({score.note})" if score.note else text


def _marks(result: RunResult) -> str:
    marks = []
    if result.status != "complete":
        marks.append(f"partial: {result.n_images} of {result.n_expected}")
    if result.demo:
        marks.append("demo data")
    if result.extension:
        marks.append("extension of the published protocol")
    return f"  [{'; '.join(marks)}]" if marks else ""
