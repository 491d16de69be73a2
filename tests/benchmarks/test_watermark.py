"""ImageNet-W: the mark is that of the authors' package, and its price that of two runs."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from oodbench.benchmarks import watermark as module
from oodbench.benchmarks.second_run import FinishedRun
from oodbench.benchmarks.watermark import Watermarked
from oodbench.core.errors import ConfigError
from oodbench.metrics.watermark import CARTON, watermark

WITH_FONT = importlib.util.find_spec("imagenet_w") is not None
needs_font = pytest.mark.skipif(not WITH_FONT, reason="the package imagenet-w is not installed")


def benchmark() -> Watermarked:
    return Watermarked(root="val", n_expected=50000, scores=())


@needs_font
@pytest.mark.parametrize("side", [224, 240, 299, 384, 475, 512])
def test_the_mark_is_that_of_the_package(side: int) -> None:
    from imagenet_w import AddWatermark

    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)
    known = AddWatermark(side)(Image.fromarray(pixels))
    assert np.array_equal(benchmark().finish(pixels), np.asarray(known))
    assert not np.array_equal(known, pixels)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oodbench.benchmarks.watermark.find_spec", lambda _: None)
    module._font.cache_clear()
    with pytest.raises(ConfigError, match=r"imagenet-w: .*pip install -e '\.\[imagenet-w\]'"):
        benchmark().splits()


def records(prediction: list[int], label: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image": [f"n01440764/{k}.JPEG" for k in range(len(label))],
            "label": label,
            "prediction": prediction,
            "top5": [[best, 996, 997, 998, 999] for best in prediction],
        }
    )


def finished(frame: pd.DataFrame, *, complete: bool = True) -> FinishedRun:
    return FinishedRun(complete, [""], {}, lambda _split, columns: frame[list(columns)])


def test_cartons_are_counted_among_other_classes() -> None:
    found = watermark(records([CARTON, 3, CARTON, 5], [1, 3, CARTON, 4]))
    assert found["top1"].value == 1 / 2
    assert (found["carton_rate"].value, found["carton_rate"].n) == (1 / 3, 3)


def test_the_drop_by_hand() -> None:
    """Clean 3 of 4, marked 1 of 4."""
    clean, marked = records([1, 2, 3, 0], [1, 2, 3, 4]), records([1, 0, 0, 0], [1, 2, 3, 4])
    score = Watermarked.derived(finished(marked), [finished(clean)], None)["top1_drop"]
    assert (score.value, score.n, score.unit) == (0.5, 4, "fraction")
    assert score.higher_is_better is False


def test_partial_runs_of_other_pictures_have_no_drop() -> None:
    clean, marked = records([1, 2], [1, 2]), records([1, 0, 0, 0], [1, 2, 3, 4])
    score = Watermarked.derived(
        finished(marked, complete=False), [finished(clean, complete=False)], None
    )["top1_drop"]
    assert np.isnan(score.value)
    assert score.note == "the partial runs on imagenet show other pictures"
