"""ReaL accuracy, against timm's own class and the known agreement of the original labels."""

import numpy as np
import pandas as pd
import pytest
import torch
from timm.data.real_labels import RealLabelsImagenet

from oodbench.core.errors import DataError
from oodbench.metrics.reassessed import reassessed
from oodbench.reference import imagenet_real_labels, validation_labels

ALL = [f"x/ILSVRC2012_val_{k:08d}.JPEG" for k in range(1, 50001)]


def records(images: list[str], prediction: list[int], label: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"image": images, "prediction": prediction, "label": label})


def test_original_labels_agree_as_often_as_is_known() -> None:
    """42,164 of the 46,837 that have any: the ReaL paper's 90.02 % of the original labels."""
    labels = validation_labels()
    scores = reassessed(records(ALL, labels, labels))
    assert scores["top1"].n == 46837
    assert scores["top1"].value * 46837 == pytest.approx(42164)
    assert scores["top1_original"].value == 1


def test_against_timm() -> None:
    logits = torch.randn(50000, 1000, generator=torch.Generator().manual_seed(1))
    true = torch.tensor(validation_labels())
    logits[torch.arange(50000), true] += 3.5  # half of them right
    known = RealLabelsImagenet(ALL, topk=(1,))
    known.add_result(logits)
    found = reassessed(records(ALL, logits.argmax(1).tolist(), true.tolist()))
    assert 100 * found["top1"].value == pytest.approx(known.get_accuracy(1))
    assert found["top1"].n == len(known.is_correct[1])


def test_a_case_by_hand() -> None:
    """Of the first five pictures the first has no label; 970 795, 230 231, 809, 516 850."""
    images = ["a/ILSVRC2012_val_00000001.JPEG", *ALL[1:5]]
    found = reassessed(records(images, [65, 795, 231, 1, 516], [65, 970, 230, 809, 516]))
    assert (found["top1"].value, found["top1"].n) == (3 / 4, 4)
    assert found["top1_original"].value == 1 / 4


def test_without_any_label() -> None:
    found = reassessed(records(ALL[:1], [65], [65]))
    assert np.isnan(found["top1"].value)
    assert "none of the pictures" in found["top1"].note


@pytest.mark.parametrize("name", ["n01440764_tench.JPEG", "ILSVRC2012_val_00050001.JPEG", "x.png"])
def test_other_names(name: str) -> None:
    with pytest.raises(DataError, match="not the name of a validation picture"):
        reassessed(records([name], [1], [1]))


def test_labels_are_those_of_timm() -> None:
    """Which ships real.json of google-research/reassessed-imagenet."""
    known = RealLabelsImagenet(ALL).real_labels
    assert [list(labels) for labels in imagenet_real_labels()] == [
        known[name.removeprefix("x/")] for name in ALL
    ]
