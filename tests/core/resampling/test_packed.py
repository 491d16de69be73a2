"""Unresized pictures keep what they hold on their way: through memory, in batches and parts."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from oodbench.core.resampling.packed import packed, resized_already
from oodbench.core.resampling.unresized import Unresized
from oodbench.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(resize=16, crop=12)


def unresized(width: int, height: int) -> Unresized:
    pixels = np.random.default_rng([width, height]).integers(0, 256, (height, width, 3), np.uint8)
    found = PREPROCESSING.unresized(Image.fromarray(pixels))
    assert found is not None
    return found


@pytest.mark.parametrize("size", [(20, 30), (64, 24), (18, 17), (90, 91)])
def test_written_and_read(size: tuple[int, int]) -> None:
    picture = unresized(*size)
    arrays = [
        *(picture.rows.first, picture.rows.weights),
        *(picture.columns.first, picture.columns.weights, picture.pixels),
    ]
    assert picture.nbytes == sum(array.nbytes for array in arrays)
    memory = np.full(picture.nbytes + 8, 7, np.uint8)
    picture.write(memory)
    assert memory[picture.nbytes :].tolist() == [7] * 8
    found = Unresized.read(memory[: picture.nbytes], picture.layout)
    assert found.shape == picture.shape == (1, 12, 12, 3)
    read = [
        *(found.rows.first, found.rows.weights),
        *(found.columns.first, found.columns.weights, found.pixels),
    ]
    for array, expected in zip(read, arrays, strict=True):
        assert array.dtype == expected.dtype
        assert_array_equal(array, expected)
        assert np.shares_memory(array, memory)


def test_a_batch_holds_each_picture() -> None:
    pictures = [unresized(20, 30), unresized(64, 24), unresized(90, 91)]
    batch = packed(pictures)
    assert batch.shape == (3, 12, 12, 3)
    for place, picture in enumerate(pictures):
        height, width, _ = picture.pixels.shape
        start = batch.starts[place]
        assert (batch.heights[place], batch.widths[place]) == (height, width)
        assert_array_equal(
            batch.pixels[start : start + height * width], picture.pixels.reshape(-1, 3)
        )
        assert_array_equal(batch.rows[place], picture.rows.first)
        taps = picture.columns.weights.shape[1]
        assert_array_equal(batch.column_weights[place, :, :taps], picture.columns.weights)
        assert not batch.column_weights[place, :, taps:].any()


def test_a_part_of_a_batch_is_a_batch_of_these() -> None:
    pictures = [unresized(20, 30), unresized(64, 24), unresized(90, 91), unresized(30, 20)]
    batch = packed(pictures)
    part, alone = batch[1:3], packed(pictures[1:3])
    assert len(part) == 2
    assert part.shape == alone.shape == (2, 12, 12, 3)
    for name in ("starts", "heights", "widths", "rows", "columns", "pixels"):
        assert_array_equal(getattr(part, name), getattr(alone, name))
    assert np.shares_memory(part.pixels, batch.pixels)
    assert len(batch[4:]) == len(batch[4:].pixels) == 0


def test_all_of_a_batch_lies_in_the_memory_that_it_was_given() -> None:
    given = []

    def memory(count: int) -> np.ndarray:
        given.append(np.zeros(count, np.uint8))
        return given[0]

    batch = packed([unresized(20, 30), resized_already(np.zeros((12, 12, 3), np.uint8))], memory)
    arrays = vars(batch).values()
    assert all(np.shares_memory(array, given[0]) for array in arrays)
    assert sum(array.nbytes for array in arrays) == given[0].nbytes
