"""Do two observers err on the same pictures? (Geirhos et al. 2020)."""

from math import nan

import numpy as np
from numpy.typing import NDArray

from oodbench.metrics.ascending import refuse_other_lengths


def error_consistency(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Cohen's kappa (1960) of which pictures two observers get right.

    The share of pictures that both or neither get right, beyond what two independent observers of
    these accuracies would have, over the most that it could be beyond.

    Args:
        first, second: whether each picture is right, bool `(n,)`, the same pictures, n at least 1.

    Returns:
        In [-1, 1], 0 where they err independently; NaN where both are right on all pictures, or
        both are wrong.

    Raises:
        ValueError: the arrays are empty or differ in length.
    """
    refuse_other_lengths(first, second)
    observed = float((first == second).mean())
    one, other = float(first.mean()), float(second.mean())
    expected = one * other + (1 - one) * (1 - other)
    return nan if expected == 1 else (observed - expected) / (1 - expected)
