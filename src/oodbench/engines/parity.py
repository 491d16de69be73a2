"""How far an engine's logits are from the eager engine's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Parity:
    """How far two sets of logits are apart.

    Attributes:
        largest: max |Δlogit|; infinite where one is NaN or infinite and the other is not.
        swapped: pictures whose top-1 differ, though by the reference the two classes are further
            apart than the tolerance.
        n: pictures.
    """

    largest: float
    swapped: int
    n: int

    def complaint(self, tolerance: float) -> str:
        """What is wrong, "" where the engine may be used."""
        if self.swapped:
            return f"top-1 differs on {self.swapped} of the first {self.n} pictures"
        if not self.largest <= tolerance:
            return f"a logit differs by {self.largest:.2g}"
        return ""


def compare(found: Logits, expected: Logits, *, tolerance: float) -> Parity:
    """Of logits `(N, M)` each.

    The same infinity is no difference: -inf stands for a class that the network lacks; nor is NaN
    on both sides, which is an error of the network and is reported when it is scored. Where the
    expected logits of the two classes lie within the tolerance, either may come first: no engine
    could be held to the order of rounding errors.
    """
    equal = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        apart = np.abs(found.astype(np.float64) - expected)
    apart = np.where(equal, 0.0, np.where(np.isfinite(apart), apart, np.inf))
    rows = np.arange(len(expected))
    first, second = expected.argmax(axis=1), found.argmax(axis=1)
    gap = np.where(first == second, 0.0, expected[rows, first] - expected[rows, second])
    return Parity(float(apart.max(initial=0.0)), int((gap > tolerance).sum()), len(expected))
