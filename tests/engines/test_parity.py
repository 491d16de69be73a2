"""The gate, by hand."""

from math import inf, nan

import numpy as np
import pytest

from oodbench.engines.parity import compare

ROW = list[float]


@pytest.mark.parametrize(
    ("found", "wanted", "complaint"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], ""),
        ([1.0, 2.0, 3.05], [1.0, 2.0, 3.0], ""),
        ([1.5, 2.0, 3.0], [1.0, 2.0, 3.0], "a logit differs by 0.5"),
        # Nearer to each other than the tolerance: either may come first.
        ([1.0, 3.02, 3.0], [1.0, 3.0, 3.05], ""),
        # Both within the tolerance, yet the order of two classes that are apart has turned.
        ([1.0, 3.09, 3.08], [1.0, 3.0, 3.16], "top-1 differs on 1 of the first 1 pictures"),
        # A class that the network lacks.
        ([1.0, -inf, 3.0], [1.0, -inf, 3.0], ""),
        ([1.0, -9.0, 3.0], [1.0, -inf, 3.0], "a logit differs by inf"),
        ([1.0, -inf, 3.0], [1.0, 2.0, 3.0], "a logit differs by inf"),
        ([nan, 2.0, 3.0], [1.0, 2.0, 3.0], "top-1 differs on 1 of the first 1 pictures"),
        ([nan, nan, nan], [nan, nan, nan], ""),
    ],
)
def test_one_picture(found: ROW, wanted: ROW, complaint: str) -> None:
    a, b = (np.array([row], dtype=np.float32) for row in (found, wanted))
    assert compare(a, b, tolerance=0.1).complaint(0.1) == complaint


def test_the_worst_picture_counts() -> None:
    wanted = np.array([[0, 1], [1, 0], [0, 1]], dtype=np.float32)
    found = np.array([[0, 1], [0, 1], [0, 1.5]], dtype=np.float32)
    parity = compare(found, wanted, tolerance=2.0)
    assert (parity.largest, parity.swapped, parity.n) == (1.0, 0, 3)
    assert compare(found, wanted, tolerance=0.5).swapped == 1
