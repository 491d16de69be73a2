from math import sqrt

import pytest

from oodbench.reference import read_table
from oodbench.reports.published.sources import Reference
from oodbench.reports.published.tolerances import matches, tolerance


def reference(value: float = 50.0, decimals: int | None = None) -> Reference:
    return Reference("published", value, decimals, None, "", "")


def points(
    model: str, benchmark: str, metric: str, value: float = 50.0, decimals: int | None = None
) -> float:
    found = tolerance(model, benchmark, metric, reference(value, decimals), 25_000)
    assert found is not None
    assert found.reason
    return found.points


def test_accuracy() -> None:
    assert points("resnet50", "imagenet", "top1") == pytest.approx(0.1)
    assert points("resnet50", "imagenet_a", "top1") == pytest.approx(0.25)
    assert points("resnet50", "imagenet_sketch", "top1") == pytest.approx(0.1)


# timm's results of one file of weights, typed from the history of its results (2022 to 2025).
@pytest.mark.parametrize(
    ("model", "benchmark", "before", "after"),
    [
        ("tf_efficientnet_b8", "imagenet_a", 48.947, 47.987),
        ("tf_efficientnet_b6_ns", "imagenet_a", 62.267, 61.853),
        ("tf_efficientnet_l2_ns", "imagenet_sketch", 47.574, 47.401),
        ("resnext101_32x32d_wsl", "imagenet_a", 58.040, 57.920),
        ("tf_efficientnet_b0", "imagenet", 76.834, 76.882),
    ],
)
def test_versions_of_timm_agree(model: str, benchmark: str, before: float, after: float) -> None:
    timm = Reference("timm", after, 3, None, "", "")
    found = tolerance(model, benchmark, "top1", timm, 10)
    assert found is not None
    assert abs(after - before) <= found.points


def test_a_rounded_cell_may_be_half_a_unit_off() -> None:
    assert points("resnet50", "imagenet", "top1", decimals=1) == pytest.approx(0.15)
    assert points("resnet50", "imagenet", "top1", decimals=3) == pytest.approx(0.1005)


def test_attack_by_binomial_standard_errors() -> None:
    expected = 0.05 + 3 * 100 * sqrt(2 * 0.08972 * 0.91028 / 25_000)
    assert points("tf_efficientnet_b4_ns", "adversarial", "adversarial_accuracy", 8.972) == (
        pytest.approx(expected)
    )
    assert points("resnet50", "adversarial", "adversarial_accuracy", 0.0) == pytest.approx(0.05)


def test_a_head_trained_anew_has_more() -> None:
    for benchmark, metric in (
        ("imagenet", "top1"),
        ("imagenet_a", "top1"),
        ("imagenet_a", "aurra"),
        ("imagenet_a", "rms_calibration_error_published"),
        ("imagenet_sketch", "top1"),
        ("cue_conflict", "shape_bias"),
        ("adversarial", "adversarial_accuracy"),
    ):
        usual = points("resnet50", benchmark, metric, 0.1)
        assert points("moco_v2", benchmark, metric, 0.1) > usual


def test_no_rate_has_no_standard_error() -> None:
    assert points("alexnet", "imagenet_c", "mce", 102.3) == pytest.approx(0.3)


def test_none_where_no_row_fits() -> None:
    assert tolerance("resnet50", "imagenet", "top5", reference(), 10) is None


def test_patterns() -> None:
    assert matches(("*", "tf_*_b[01]"), ("x", "tf_efficientnet_b1"))
    assert not matches(("tf_*",), ("TF_x",))


def test_table_gives_a_reason_for_every_number() -> None:
    for row in read_table("tolerances.csv"):
        assert float(row["points"]) > 0
        assert float(row["standard_errors"]) in (0, 3)
        assert row["reason"]
