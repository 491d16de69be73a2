import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torchmetrics.functional.classification import multiclass_accuracy

from oodbench.core.errors import ConfigError
from oodbench.metrics.accuracy import error, subset, top1, top5_classes


def records_of(logits: torch.Tensor, labels: torch.Tensor) -> pd.DataFrame:
    order = logits.argsort(dim=1, descending=True, stable=True)[:, :5].to(torch.int16)
    return pd.DataFrame(
        {
            "label": labels.to(torch.int16).numpy(),
            "prediction": order[:, 0].numpy(),
            "top5": order.tolist(),
        }
    )


def test_top1_and_top5_by_hand() -> None:
    records = pd.DataFrame(
        {
            "label": np.array([7, 7, 7, 7], dtype=np.int16),
            "prediction": np.array([7, 1, 1, 1], dtype=np.int16),
            "top5": [[7, 1, 2, 3, 4], [1, 2, 3, 4, 7], [1, 2, 3, 4, 5], [1, 7, 3, 4, 5]],
        }
    )
    scores = top1(records)
    assert (scores["top1"].value, scores["top5"].value) == (0.25, 0.75)
    interval = stats.binomtest(3, 4).proportion_ci(0.95, method="wilson")
    assert (scores["top5"].low, scores["top5"].high) == pytest.approx((interval.low, interval.high))
    assert (scores["top5"].n, scores["top5"].higher_is_better) == (4, True)


def test_a_place_without_a_class_is_no_class() -> None:
    records = pd.DataFrame(
        {
            "label": np.array([0, 1, 999], dtype=np.int16),
            "prediction": np.array([7, 7, 7], dtype=np.int16),
            "top5": [[7, 3, -1, -1, -1], [7, 1, -1, -1, -1], [7, 3, -1, -1, -1]],
        }
    )
    scores = top1(records)
    assert (scores["top1"].value, scores["top5"].value) == (0, pytest.approx(1 / 3))


def test_top1_top5_and_error_agree_with_torchmetrics() -> None:
    torch.manual_seed(0)
    labels = torch.randint(1000, (400,))
    logits = torch.randn(400, 1000)
    logits[torch.arange(400), labels] += 2
    scores = top1(records_of(logits, labels))
    for name, k in (("top1", 1), ("top5", 5)):
        reference = multiclass_accuracy(logits, labels, 1000, average="micro", top_k=k)
        assert scores[name].value == pytest.approx(float(reference), abs=1e-6)
    assert 0.1 < scores["top1"].value < scores["top5"].value < 0.9


def test_error_is_lower_better_and_mirrors_top1() -> None:
    labels = torch.arange(10)
    logits = torch.eye(10, 1000)
    logits[:3] = torch.eye(1000)[999]
    score = error(records_of(logits, labels))["error"]
    assert (score.value, score.n, score.higher_is_better) == (0.3, 10, False)
    interval = stats.binomtest(3, 10).proportion_ci(0.95, method="wilson")
    assert (score.low, score.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("n", [200, 30, 1000])
def test_a_subset_has_both_ways(n: int) -> None:
    records = pd.DataFrame(
        {
            "label": np.array([6, 11, 13, 15], dtype=np.int16),
            "prediction": np.array([6, 0, 1, 2], dtype=np.int16),
            f"prediction_{n}way": np.array([6, 11, 13, 6], dtype=np.int16),
        }
    )
    scores = subset(records)
    assert (scores["top1"].value, scores["top1_1000way"].value) == (0.75, 0.25)


def test_without_a_subset_the_readout_is_named() -> None:
    records = pd.DataFrame({"label": [6], "prediction": [6]})
    with pytest.raises(ConfigError, match=r"readout\._target_=oodbench\.readouts\.Subset$"):
        subset(records)


@pytest.mark.parametrize("kind", [list, tuple, lambda row: np.array(row, dtype=np.int16)])
def test_top5_is_read_from_any_kind_of_list(kind: type) -> None:
    rows = [[1, 2, 3, 4, 999], [5, 6, 7, 8, 9]]
    found = top5_classes(pd.DataFrame({"top5": [kind(row) for row in rows]}))
    assert found.dtype == np.int16
    assert found.tolist() == rows


@pytest.mark.parametrize("rows", [[[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6]], [[1, 2, 3, 4, 5], [1]]])
def test_a_row_without_five_classes_is_refused(rows: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="shape|five classes"):
        top5_classes(pd.DataFrame({"top5": rows}))


def test_no_pictures_are_no_score() -> None:
    with pytest.raises(ValueError, match="0 of 0"):
        error(pd.DataFrame({"label": [], "prediction": []}))
