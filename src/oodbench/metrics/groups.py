"""Which runs of a table are as good as the best one, as far as their pictures can tell."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from oodbench.metrics.paired import difference, holm

LEVEL = 0.05


def best_group(
    runs: Mapping[str, NDArray[np.bool_]], *, higher_is_better: bool = True
) -> list[str]:
    """The best run and all that cannot be told from it at 95 %, the best first.

    Each run is compared with the best one by the exact McNemar test; p-values are adjusted for
    their number by Holm's method. Of equally good runs the first one counts as the best.

    Args:
        runs: by name, which pictures it got right, bool `(n,)`, the same picture at the same
            position in all of them.
        higher_is_better: whether more is better.

    Raises:
        ValueError: runs differ in their number of pictures, or have none.
    """
    if not runs:
        return []
    sign = 1 if higher_is_better else -1
    ranked = sorted(runs, key=lambda name: -sign * int(runs[name].sum()))
    best, others = ranked[0], ranked[1:]
    adjusted = holm([difference(runs[best], runs[name]).p_value for name in others])
    return [best, *(name for name, p in zip(others, adjusted, strict=True) if p >= LEVEL)]
