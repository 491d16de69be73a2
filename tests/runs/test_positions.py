"""Rows that are not those of a chunk's items."""

import numpy as np
import pytest

from oodbench.runs.positions import wrong_positions

CLIPS = ([4, 4, 4, 5, 5, 7], [0, 1, 2, 0, 1, 0])
"""Positions and frames of the items 4 to 7, of which 6 was skipped."""


@pytest.mark.parametrize(
    ("position", "frame", "n_items", "n_skipped", "expected"),
    [
        (*CLIPS, 4, 1, ""),
        ([], [], 2, 2, ""),
        ([4, 5], [0, 0], 2, 0, ""),
        ([], [], 2, 0, "0 items and 0 skipped ones of 2"),
        ([4, 5], [0, 0], 3, 0, "2 items and 0 skipped ones of 3"),
        ([4, 5, 6], [0, 0, 0], 3, 1, "3 items and 1 skipped ones of 3"),
        ([4, 5, 6], [0, 0, 0], 2, 0, "rows of other items than 4 to 5"),
        ([3, 4], [0, 0], 2, 0, "rows of other items than 4 to 5"),
        ([4, 4, 5], [0, 0, 0], 2, 0, "rows that stand twice or out of order"),
        ([4, 5, 4, 5], [0, 0, 0, 0], 2, 0, "rows that stand twice or out of order"),
        ([5, 4], [0, 0], 2, 0, "rows that stand twice or out of order"),
        ([4, 4, 5], [0, 2, 0], 2, 0, "rows that stand twice or out of order"),
        ([4, 4, 5], [0, 1, 1], 2, 0, "frames of an item are missing"),
        ([4, 4, 5], [1, 2, 0], 2, 0, "frames of an item are missing"),
    ],
)
def test_what_is_wrong_is_said(
    position: list[int], frame: list[int], n_items: int, n_skipped: int, expected: str
) -> None:
    arrays = np.array(position, dtype=np.int32), np.array(frame, dtype=np.int16)
    assert wrong_positions(*arrays, 4, n_items, n_skipped) == expected
