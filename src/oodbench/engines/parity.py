"""How far an engine's logits are from the eager engine's; one that is too far is refused."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from oodbench.core.errors import ConfigError, one_line
from oodbench.engines.base import Forward
from oodbench.engines.pytorch import reference_logits
from oodbench.models.device_memory import is_out_of_memory

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


def gate(
    forward: Forward,
    classifier: nn.Module,
    example: NDArray[np.uint8],
    *,
    tolerance: float,
    precision: str = "fp32",
) -> None:
    """Let an engine through.

    Args:
        forward: of the engine.
        classifier: what it was made from; computes the reference, in float32.
        example: real pictures of the run, `(n, H, W, 3)`.
        tolerance: largest difference of a logit. In another precision than fp32, where PyTorch's
            own logits lie farther off, twice as far as they.
        precision: that the engine computes in.

    Raises:
        ConfigError: top-1 or a logit differs, and by how much, or the engine fails.
    """
    expected = reference_logits(classifier, example)
    bound = max(tolerance, 2 * _own_error(classifier, example, expected, precision))
    try:
        logits = forward.start(example).result()
    except Exception as error:  # each library has its own
        if is_out_of_memory(error):
            raise
        reason = one_line(error, 200)
        raise ConfigError(
            f"engine={forward.name} fails on the first pictures: {reason}: use engine=eager"
        ) from error
    found = compare(logits, expected, tolerance=bound)
    if complaint := found.complaint(bound):
        raise ConfigError(
            f"engine={forward.name}: {complaint} from the eager engine's "
            f"(max |Δlogit| {found.largest:.2g}, engine.tolerance={tolerance:g}): raise the "
            "tolerance, or use engine=eager"
        )


def _own_error(
    classifier: nn.Module, example: NDArray[np.uint8], expected: Logits, precision: str
) -> float:
    """How far PyTorch's own logits in this precision are from those in float32."""
    if precision == "fp32":
        return 0.0
    own = compare(reference_logits(classifier, example, precision), expected, tolerance=0.0)
    return own.largest
