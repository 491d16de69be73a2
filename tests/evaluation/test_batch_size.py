"""How many pictures a batch has on an accelerator: worked out by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from oodbench.attacks.pgd_targeted import TargetedPGD
from oodbench.attacks.square import Square
from oodbench.benchmarks.base import Item, Split
from oodbench.core.errors import DataError
from oodbench.engines.settings import default_batch_size, power_of_two
from oodbench.evaluation import batch_size
from oodbench.evaluation.batch_size import batch_size_of, first_shape, fitting
from oodbench.runs.chunks import Chunk

GIGABYTE = 10**9
PUBLISHED = TargetedPGD(eps=0.1, step_size=0.1, iterations=2)
SQUARE = Square(name="s", eps=0.1)
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("side", "attack", "size"),
    [
        (224, False, 256),
        (256, False, 128),  # 196
        (475, False, 32),  # 56.9
        (800, False, 16),  # 20.07
        (224, True, 256),
        (10_000, False, 1),
    ],
)
def test_as_many_pixels_whatever_the_side(side: int, attack: bool, size: int) -> None:
    assert default_batch_size("cuda:1", attack=attack, pixels=side * side) == size


def test_powers_of_two() -> None:
    assert [power_of_two(most) for most in (0.3, 1, 2, 3.9, 4, 1023)] == [1, 1, 2, 2, 4, 512]


@pytest.mark.parametrize(
    ("free", "taken", "size"),
    [
        (10 * GIGABYTE, GIGABYTE, 8),  # four tenths of 10 GB, half a GB a picture
        (80 * GIGABYTE, GIGABYTE, 64),
        (GIGABYTE, GIGABYTE, 1),  # 0.8
        (GIGABYTE // 100, GIGABYTE, 1),
    ],
)
def test_as_many_as_fit(free: int, taken: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[torch.Size] = []

    class Network(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            shapes.append(images.shape)
            return images.mean((2, 3))

    def peak(function: Any, device: torch.device) -> int:
        function()
        return taken

    monkeypatch.setattr(batch_size, "peak_of", peak)
    monkeypatch.setattr(batch_size, "free_bytes", lambda device: free)
    assert fitting(Network(), (20, 30), CPU) == size
    assert shapes == [(2, 3, 20, 30)]


def test_one_where_not_even_two_fit() -> None:
    class Full(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    class Wrong(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("out of luck")

    assert fitting(Full(), (20, 30), CPU) == 1
    with pytest.raises(RuntimeError, match="out of luck"):
        fitting(Wrong(), (20, 30), CPU)


def plan(device: str, given: int | None = None) -> Any:
    engine = SimpleNamespace(batch_size=given)
    return SimpleNamespace(device=device, run=SimpleNamespace(engine=engine))


def test_the_smaller_of_both_counts_and_what_is_given_before_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = nn.Identity()
    monkeypatch.setattr(batch_size, "fitting", lambda *_: 64)
    assert batch_size_of(plan("cuda"), network, (1, 224, 224), None, attack=None) == 64
    assert batch_size_of(plan("cuda"), network, (1, 800, 800), None, attack=None) == 16
    assert batch_size_of(plan("cuda", 100), network, (1, 224, 224), None, attack=None) == 100
    assert batch_size_of(plan("cuda"), network, None, None, attack=SQUARE) == 256
    assert batch_size_of(plan("cuda"), network, None, None, attack=PUBLISHED) == 1024
    monkeypatch.setattr(batch_size, "fitting", lambda *_: 4096)
    assert batch_size_of(plan("cuda"), network, (1, 224, 224), None, attack=PUBLISHED) == 1024
    assert batch_size_of(plan("cuda"), network, (1, 224, 224), None, attack=SQUARE) == 256
    assert batch_size_of(plan("cpu"), network, None, None, attack=None) == 8
    assert batch_size_of(plan("cpu"), network, None, None, attack=SQUARE) == 16


def test_the_first_item_that_can_be_read_shows_the_size() -> None:
    items = [Item(f"{number}.mp4", 0) for number in range(4)]
    split = Split("", Path(), 4, 4, "", lambda: items)
    asked: list[int] = []

    def read(split: Split, position: int, item: Item) -> NDArray[np.uint8]:
        asked.append(position)
        if position < 3:
            raise DataError("broken")
        return np.zeros((31, 20, 30, 3), np.uint8)

    reader: Any = read
    assert first_shape(reader, [Chunk(split, 0, 0, 2, 1), Chunk(split, 1, 2, 4, 2)]) == (31, 20, 30)
    assert asked == [1, 2, 3]
    assert first_shape(reader, [Chunk(split, 0, 0, 3, 0)]) is None
