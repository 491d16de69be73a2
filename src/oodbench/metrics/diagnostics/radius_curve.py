"""Accuracy by radius under an attack that looks for the nearest adversarial picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POINTS = 100
"""Radii at which the curve is given at most, beside 0."""


@dataclass(frozen=True)
class RadiusCurve:
    """By ascending radius.

    Attributes:
        norm: of the radius, linf or l2.
        eps: radii in [0, 1] pixel units; of l2 larger ones.
        accuracy: share of the pictures that resist all changes within them, in [0, 1].
    """

    norm: str
    eps: list[float]
    accuracy: list[float]


def radius_curve(
    norm: str, distance: NDArray[np.floating], broken: NDArray[np.bool_], wrong: NDArray[np.bool_]
) -> RadiusCurve:
    """The curve of the distances at which pictures were broken, each point exact.

    Args:
        norm: of the distances.
        distance: to the adversarial picture, float `(n,)`, n at least 1.
        broken: whether one was found, bool `(n,)`.
        wrong: whether the clean picture is misclassified already, bool `(n,)`.
    """
    lost = np.sort(distance[broken & ~wrong].astype(np.float64))
    places = np.unique(np.linspace(0, len(lost) - 1, min(len(lost), POINTS)).round().astype(int))
    eps = np.unique(np.concatenate([[0.0], lost[places] if len(lost) else []]))
    gone = np.searchsorted(lost, eps, side="right") + wrong.sum()
    return RadiusCurve(norm, eps.tolist(), (1 - gone / len(distance)).tolist())
