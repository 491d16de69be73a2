"""A few items of every kind of split."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from oodbench.benchmarks.base import Item, Split
from oodbench.readouts import Standard
from oodbench.runs.plan import Data
from oodbench.sweeps.forecast.sample import ITEMS, SPLITS, sample, seconds_an_item


class Clips:
    """Items of as many frames as their file's name says."""

    headline = "none"
    readout = Standard()

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def splits(self) -> list[Split]:
        return []

    def missing_splits(self) -> list[str]:
        return []

    def load(self, path: Path) -> list[Image.Image]:
        self.loaded.append(path.as_posix())
        return [Image.new("RGB", (40, 30))] * int(path.name)

    def score(self, splits: object) -> dict[str, dict[str, object]]:
        assert isinstance(splits, pd.DataFrame)
        return {}


def data(frames: list[int], n_items: int = 100) -> tuple[Data, Clips]:
    benchmark = Clips()
    splits = [
        Split(
            f"s{number}",
            Path(f"/s{number}"),
            n_items,
            n_items,
            "",
            lambda count=count: [Item(str(count), 0)] * n_items,  # type: ignore[misc]
        )
        for number, count in enumerate(frames)
    ]
    return Data(benchmark, splits, ()), benchmark  # type: ignore[arg-type]


def test_pictures_are_taken_from_a_few_splits_and_one_is_read() -> None:
    given, benchmark = data([1] * 75)
    found = sample(given)
    assert found.frames == {f"s{number}": 1 for number in range(75)}
    assert len(benchmark.loaded) == 1
    assert ITEMS <= len(found.items) <= 2 * ITEMS
    assert len({split.name for split, _ in found.items}) == SPLITS
    assert found.picture.size == (40, 30)


def test_of_clips_one_of_every_split_is_read() -> None:
    # ImageNet-P: 31 frames, and 41 of translate.
    found = sample(data([31, 41, 31])[0])
    assert found.frames == {"s0": 31, "s1": 41, "s2": 31}


def test_a_small_split_gives_what_it_has() -> None:
    given, benchmark = data([2], n_items=3)
    found = sample(given)
    assert len(found.items) == 3
    shapes = []
    seconds = seconds_an_item(
        given,
        found,
        lambda picture: shapes.append(picture.size) or np.zeros((1, 1, 3), np.uint8),
        workers=2,
        in_processes=False,
        seconds=0.0,
    )
    assert seconds > 0
    assert set(shapes) == {(40, 30)}
    # Every item is two pictures.
    assert len(shapes) == 2 * (len(benchmark.loaded) - 2)


def test_processes_do_not_wait_for_each_other() -> None:
    given, _ = data([1])
    found = sample(given)

    def slow(picture: Image.Image) -> np.ndarray:
        time.sleep(0.01)
        return np.zeros((1, 1, 3), np.uint8)

    alone = {"transform": slow, "seconds": 0.2, "workers": 16, "in_processes": True}
    assert seconds_an_item(given, found, **alone) == pytest.approx(0.01 / 16, rel=0.5)  # type: ignore[arg-type]
