"""Batches are stacked, and their memory is used again only when nobody looks at it."""

import gc

import numpy as np
import torch

from oodbench.evaluation.reused_memory import ReusedMemory


def pictures(*values: int) -> list[np.ndarray]:
    return [np.full((2, 3, 3), value, np.uint8) for value in values]


def test_batches_of_several_sizes_are_stacked() -> None:
    memory = ReusedMemory()
    for values in ((1, 2, 3), (4,), (5, 6, 7), (8, 9)):
        assert np.array_equal(memory.stacked(pictures(*values)), np.stack(pictures(*values)))


def test_memory_is_used_again_once_the_last_view_is_gone() -> None:
    memory = ReusedMemory()
    first = memory.stacked(pictures(1, 2))
    place = first.ctypes.data
    row, tensor = first[1, 0], torch.from_numpy(first)
    del first
    gc.collect()
    assert memory.stacked(pictures(3, 4)).ctypes.data != place
    assert row.tolist() == [[2] * 3] * 3
    del row
    gc.collect()
    assert memory.stacked(pictures(5, 6)).ctypes.data != place
    assert tensor[1].eq(2).all()
    del tensor
    gc.collect()
    found = {memory.stacked(pictures(7, 8)).ctypes.data for _ in range(4)}
    assert place in found
