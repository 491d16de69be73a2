"""Weights against Pillow's own resize of single rows, and worked out by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from oodbench.core.resampling.taps import BITS, FILTERS, Taps, taps
from oodbench.preprocessing import INTERPOLATIONS

ONE = 1 << BITS


def row(taps: Taps, values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """What the taps make of a row, each value by itself, in Python's integers."""
    found = []
    for first, weights in zip(taps.first.tolist(), taps.weights.tolist(), strict=True):
        used = [(taps.start + first + k, weight) for k, weight in enumerate(weights) if weight]
        total = sum(int(values[place]) * weight for place, weight in used)
        found.append(min(255, max(0, (total + ONE // 2) // ONE)))
    return np.array(found)


@pytest.mark.parametrize("interpolation", sorted(FILTERS))
def test_a_row_is_what_pillow_makes_of_it(interpolation: str) -> None:
    random = np.random.default_rng(0)
    for _ in range(150):
        size, resized = (int(n) for n in random.integers(1, 400, 2))
        # Black and white, so that the bicubic filter overshoots in both directions.
        values = random.choice([0, 255, 77], size).astype(np.uint8)
        picture = Image.fromarray(values[None])
        expected = picture.resize((resized, 1), INTERPOLATIONS[interpolation])
        found = row(taps(size, resized, interpolation, 0, resized), values)
        assert np.array_equal(found, np.asarray(expected)[0]), (size, resized)


def test_by_hand() -> None:
    # Two pixels become one: its centre lies 1/2 from theirs, which the filter, twice as wide,
    # weighs 3/4 each, so that each is half of the sum.
    both = taps(2, 1, "bilinear", 0, 1)
    assert (both.start, both.stop, both.first.tolist()) == (0, 2, [0])
    assert both.weights.tolist() == [[ONE // 2, ONE // 2]]
    # One becomes two: there is nothing but it.
    one = taps(1, 2, "bicubic", 0, 2)
    assert [weights[0] for weights in one.weights.tolist()] == [ONE, ONE]
    # Two become four: 1/4 to the left of the second pixel's centre, and 3/4 from the first one's.
    assert taps(2, 4, "bilinear", 2, 3).weights.tolist() == [[ONE // 4, ONE * 3 // 4]]


def test_a_side_that_keeps_its_size_keeps_its_pixels() -> None:
    own = taps(9, 9, "bicubic", 2, 5)
    assert (own.start, own.stop) == (2, 5)
    assert own.first.tolist() == [0, 1, 2]
    assert own.weights.tolist() == [[ONE]] * 3


def test_a_part_is_that_part_of_the_whole() -> None:
    values = np.random.default_rng(1).integers(0, 256, 100).astype(np.uint8)
    whole = row(taps(100, 37, "bicubic", 0, 37), values)
    part = taps(100, 37, "bicubic", 10, 20)
    assert np.array_equal(row(part, values), whole[10:20])
    assert 0 < part.start < part.stop < 100
    used = part.start + part.first + (part.weights != 0).sum(1)
    assert used.max() <= part.stop


def test_remembered_taps_cannot_be_changed() -> None:
    remembered = taps(10, 5, "box", 0, 5)
    with pytest.raises(ValueError, match="read-only"):
        remembered.weights[0, 0] = 0
