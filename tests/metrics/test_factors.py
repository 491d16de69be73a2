"""ImageNet-X, against the authors' own functions."""

import importlib.util

import numpy as np
import pandas as pd
import pytest

from oodbench.core.errors import ConfigError, DataError
from oodbench.metrics import factors as module
from oodbench.metrics.factors import FACTORS, factors
from oodbench.reference import validation_labels

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("imagenet_x") is None, reason="the package imagenet-x is not installed"
)


def records(n: int) -> pd.DataFrame:
    """Of the first n validation pictures, two thirds of them right."""
    label = np.array(validation_labels()[:n])
    wrong = np.random.default_rng(4).random(n) < 1 / 3
    return pd.DataFrame(
        {
            "image": [f"n/ILSVRC2012_val_{k + 1:08d}.JPEG" for k in range(n)],
            "label": label,
            "prediction": np.where(wrong, (label + 1) % 1000, label),
        }
    )


@pytest.mark.slow
def test_against_the_package() -> None:
    from imagenet_x import load_annotations
    from imagenet_x.aggregate import compute_factor_accuracies, error_ratio

    frame = records(50000)
    known = load_annotations()
    merged = known.merge(
        frame.assign(file_name=[image.removeprefix("n/") for image in frame["image"]]),
        on="file_name",
    ).assign(model="m")
    merged["is_correct"] = merged["prediction"] == merged["class"]
    expected = compute_factor_accuracies(merged, list(FACTORS))
    ratios = error_ratio(expected)
    found = factors(frame)
    assert found["top1"].value == pytest.approx(expected["average"]["m"])
    assert found["top1"].n == len(known)
    assert found["top1_worst_factor"].value == pytest.approx(expected["worst_factor"]["m"])
    for factor in FACTORS:
        assert found[f"top1_{factor}"].value == pytest.approx(expected[factor]["m"])
        score = found[f"error_ratio_{factor}"]
        assert score.value == pytest.approx(ratios[factor]["m"])
        assert score.low <= score.value <= score.high or np.isnan(score.low)


def test_of_few_pictures_some_factors_are_not_shown() -> None:
    found = factors(records(40))
    absent = [factor for factor in FACTORS if not found[f"top1_{factor}"].n]
    assert absent
    for factor in absent:
        assert found[f"top1_{factor}"].note == "no such picture"
        assert np.isnan(found[f"error_ratio_{factor}"].value)
    assert not np.isnan(found["top1_worst_factor"].value)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    module._annotations.cache_clear()
    with pytest.raises(ConfigError, match=r"imagenet-x: .*pip install -e '\.\[imagenet-x\]'"):
        factors(records(3))
    with pytest.raises(ConfigError, match="imagenet-x"):
        module.check_name("n/ILSVRC2012_val_00000001.JPEG")


def test_other_names_are_refused_beforehand() -> None:
    with pytest.raises(DataError, match="not the name of a validation picture"):
        module.check_name("n01440764/tench.JPEG")
