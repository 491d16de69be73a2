"""How often the 95 % intervals of the scores of a model's confidence hold the true value.

Sets of 1,000 pictures are drawn from populations of which the true values are known: each picture
has a confidence, and is right with a probability that depends on it. Calibration errors have two
truths, that of the population and that expected of 1,000 pictures, as their estimate is biased
upwards: the first is what one wants to know. `ours` is the share of intervals that hold it,
`theirs` the aim, 0.95; `agree`: 0.93 to 0.97.

    python measurements/confidence_coverage.py --sets 1000 --json coverage.json
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodbench.core.files import write_json
from oodbench.metrics.ascending import ascending, bootstrap_ascending
from oodbench.metrics.calibration import aurra, rms_calibration_error
from oodbench.metrics.confidence import (
    adaptive_calibration_error,
    auroc_of_confidence,
    expected_calibration_error,
)

N = 1000
LARGE = 1_000_000
AIM = 0.95

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def rms(confidence: Floats, correct: Flags) -> float:
    return rms_calibration_error(confidence, correct, drop_last=False)


def rms_published(confidence: Floats, correct: Flags) -> float:
    return rms_calibration_error(confidence, correct, drop_last=True)


STATISTICS: dict[str, Callable[[Floats, Flags], float]] = {
    "ece": expected_calibration_error,
    "adaptive_ece": adaptive_calibration_error,
    "rms_calibration_error": rms,
    "rms_calibration_error_published": rms_published,
    "auroc_of_confidence": auroc_of_confidence,
    "aurra": aurra,
}

POPULATIONS: dict[str, Callable[[Floats], Floats]] = {
    "calibrated": lambda confidence: confidence,
    "overconfident by 5 points": lambda confidence: np.clip(confidence - 0.05, 0, 1),
    "overconfident by 20 points": lambda confidence: np.clip(confidence - 0.2, 0, 1),
}


def drawn(
    accuracy: Callable[[Floats], Floats], n: int, generator: np.random.Generator
) -> tuple[Floats, Flags]:
    """Confidences as of a trained classifier, most of them high, and what is right."""
    confidence = generator.beta(3, 1, n)
    return confidence, generator.random(n) < accuracy(confidence)


def truth(name: str, population: str, generator: np.random.Generator) -> float:
    """The value of the population; of errors over bins of 100, of bins as fine as N has."""
    confidence, correct = drawn(POPULATIONS[population], LARGE, generator)
    if not name.startswith("rms"):
        return STATISTICS[name](confidence, correct)
    order = np.argsort(confidence)
    gaps = confidence[order] - POPULATIONS[population](confidence[order])
    squares = np.array([part.mean() ** 2 for part in np.array_split(gaps, N // 100)])
    kept = squares[:-1] if name.endswith("published") else squares
    return float(np.sqrt(kept.sum() / len(squares)))


def coverage(population: str, sets: int) -> list[dict[str, Any]]:
    generator = np.random.default_rng(0)
    truths = {name: truth(name, population, generator) for name in STATISTICS}
    held = dict.fromkeys(STATISTICS, 0)
    held_mean = dict.fromkeys(STATISTICS, 0)
    limits: dict[str, list[tuple[float, float]]] = {name: [] for name in STATISTICS}
    values: dict[str, list[float]] = {name: [] for name in STATISTICS}
    statistics = [lambda c, r, one=one: one(c, r.astype(bool)) for one in STATISTICS.values()]
    for _ in range(sets):
        pair = ascending(*drawn(POPULATIONS[population], N, generator))
        for name, interval in zip(STATISTICS, bootstrap_ascending(statistics, *pair), strict=True):
            limits[name].append(interval)
            values[name].append(STATISTICS[name](pair[0], pair[1].astype(bool)))
            held[name] += interval.low <= truths[name] <= interval.high
    for name, found in limits.items():
        mean = float(np.mean(values[name]))
        held_mean[name] = sum(low <= mean <= high for low, high in found)
    rows = []
    for name in STATISTICS:
        expected = float(np.mean(values[name]))
        rows.append(row(f"{name}, {population}: {truths[name]:.4f}", held[name] / sets))
        said = f"{name}, {population}: {expected:.4f} expected of {N} pictures"
        rows.append(row(said, held_mean[name] / sets))
    return rows


def row(work: str, ours: float) -> dict[str, Any]:
    agree = abs(ours - AIM) <= 0.02
    ratio = ours / AIM
    return {
        "work": work,
        "ours": ours,
        "theirs": AIM,
        "unit": "share",
        "ratio": ratio,
        "agree": agree,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [entry for name in POPULATIONS for entry in coverage(name, options.sets)]
    for entry in rows:
        print("{work}: {ours:.3f}".format(**entry))
    if options.json:
        write_json(options.json, rows)


if __name__ == "__main__":
    main()
