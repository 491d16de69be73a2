"""How many items a run should have, whatever it says itself."""

from pathlib import Path

import numpy as np
import pytest
from configs import composed, split
from PIL import Image

from oodbench.benchmarks.trees import ImageNetC
from oodbench.metrics.corruption import TEST_CORRUPTIONS
from oodbench.runs.official_counts import expected_counts, totals


def counts(n: int, n_expected: int) -> dict[str, int]:
    return {"n": n, "n_expected": n_expected}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["benchmark.protocol.n_expected=500"], 50_000),  # ILSVRC 2012 has 50,000
        (["benchmark.protocol.n_expected=500", "benchmark.name=mine"], 500),
        (["benchmark=imagenet_sketch", "benchmark.protocol.n_expected=500"], 50_889),
    ],
)
def test_a_part_does_not_become_the_whole(overrides: list[str], expected: int) -> None:
    run = composed(*overrides)
    assert expected_counts(run.benchmark, [split(n_expected=500)]) == {"": expected}


def test_a_split_that_counts_for_itself_keeps_its_count() -> None:
    run = composed("benchmark=cue_conflict")
    assert expected_counts(run.benchmark, [split(n_expected=1201)]) == {"": 1201}


def test_what_is_scored_beside_the_benchmark_does_not_count() -> None:
    splits = {"fog/1": counts(3, 10), "fog/2": counts(4, 10), "spatter/1": counts(10, 10)}
    assert totals(splits, ["fog/1", "fog/2"], 0) == (7, 20)
    assert totals(splits, ["fog/1", "fog/2"], 3) == (7, 50)
    assert totals({"spatter/1": counts(10, 10)}, [], 75) == (10, 760)


def test_of_19_corruptions_15_make_up_imagenet_c(tmp_path: Path) -> None:
    """75 cells of 50,000 pictures, and 20 more of the held-out ones (Hendrycks 2019)."""
    for name in (*TEST_CORRUPTIONS, "spatter"):
        folder = tmp_path / name / "1" / "n01440764"
        folder.mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "a.png")
    benchmark = ImageNetC(root=str(tmp_path), n_expected=50_000)
    splits = {one.name: counts(one.n_items, one.n_expected) for one in benchmark.splits()}
    official = [one.name for one in benchmark.splits() if one.official]
    assert len(splits) == 16
    assert len(benchmark.missing_splits()) == 60
    assert totals(splits, official, 60) == (15, 75 * 50_000)
