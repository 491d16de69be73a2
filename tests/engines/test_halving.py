"""Where memory runs out, half of the batch goes through the network, and nothing is lost."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from oodbench.core.errors import ConfigError
from oodbench.engines.halving import HalvingForward

CPU = torch.device("cpu")
OUT_OF_MEMORY = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nSee")


class Done:
    def __init__(self, result: Callable[[], NDArray[np.float32]]) -> None:
        self.result = result


class Narrow:
    """Logits are the pictures' first bytes; memory is for `width` pictures at once.

    Args:
        late: whether it runs out when the logits are asked for, as in threads, or at the start.
    """

    name, note, depth = "narrow", "a note", 5

    def __init__(self, width: int, *, late: bool = False, error: Exception = OUT_OF_MEMORY) -> None:
        self.width = width
        self.late = late
        self.error = error
        self.sizes: list[int] = []

    def start(self, pixels: NDArray[np.uint8]) -> Any:
        if not self.late:
            self._check(len(pixels))

        def result() -> NDArray[np.float32]:
            if self.late:
                self._check(len(pixels))
            self.sizes.append(len(pixels))
            return pixels[:, 0, 0, :1].astype(np.float32)

        return Done(result)

    def logits(self, images: Tensor) -> NDArray[np.float32]:
        self._check(len(images))
        return images[:, 0, 0, :1].numpy()

    def _check(self, count: int) -> None:
        if count > self.width:
            raise self.error


def pictures(*values: int) -> NDArray[np.uint8]:
    return np.stack([np.full((2, 2, 3), value, np.uint8) for value in values])


@pytest.mark.parametrize("late", [False, True])
def test_half_a_batch_and_half_again(late: bool, caplog: pytest.LogCaptureFixture) -> None:
    inner = Narrow(3, late=late)
    forward = HalvingForward(inner, CPU)
    with caplog.at_level(logging.WARNING):
        found = forward.start(pictures(*range(9))).result()
    assert found[:, 0].tolist() == list(range(9))
    # 9 do not fit, nor do 4; 2 do.
    assert inner.sizes == [2, 2, 2, 2, 1]
    assert forward.most == 2
    assert "out of memory with 9 pictures, going on with at most 4 at once" in caplog.text
    assert "with 4 pictures, going on with at most 2 at once: CUDA out of memory" in caplog.text


@pytest.mark.parametrize("late", [False, True])
def test_later_batches_are_split_at_once(late: bool) -> None:
    inner = Narrow(2, late=late)
    forward = HalvingForward(inner, CPU)
    in_flight = [forward.start(pictures(*range(start, start + 4))) for start in (0, 4, 8)]
    assert [pending.result()[:, 0].tolist() for pending in in_flight] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]
    assert set(inner.sizes) == {2}
    assert forward.most == 2


def test_float_images_too() -> None:
    forward = HalvingForward(Narrow(3), CPU)
    images = torch.arange(8.0)[:, None, None, None].expand(-1, 3, 2, 2)
    assert forward.logits(images)[:, 0].tolist() == list(range(8))
    assert forward.most == 2


def test_nothing_changes_where_there_is_room() -> None:
    inner = Narrow(9)
    forward = HalvingForward(inner, CPU)
    assert (forward.name, forward.note, forward.depth) == ("narrow", "a note", 5)
    assert forward.start(pictures(7, 8, 9)).result()[:, 0].tolist() == [7, 8, 9]
    assert inner.sizes == [3]
    assert forward.most is None


@pytest.mark.parametrize("late", [False, True])
def test_a_single_picture_that_does_not_fit_is_one_line(late: bool) -> None:
    forward = HalvingForward(Narrow(0, late=late), CPU)
    with pytest.raises(ConfigError) as error:
        forward.start(pictures(1, 2)).result()
    said = str(error.value)
    assert said.startswith("engine.device=cpu: out of memory with one picture in the network: ")
    assert "GiB are free on cpu (CUDA out of memory. Tried to allocate 2 GiB See)" in said
    assert "\n" not in said


@pytest.mark.parametrize("late", [False, True])
def test_another_error_is_passed_on(late: bool) -> None:
    forward = HalvingForward(Narrow(0, late=late, error=RuntimeError("out of luck")), CPU)
    with pytest.raises(RuntimeError, match="out of luck"):
        forward.start(pictures(1, 2)).result()
