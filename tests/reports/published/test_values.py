import pytest

from oodbench.reference import published_models
from oodbench.reports.published.values import (
    PUBLISHED,
    TESTBED,
    Published,
    in_points,
    published_value,
    values_of,
)


# Values typed from the tables of the sources.
@pytest.mark.parametrize(
    ("model", "benchmark", "metric", "value", "decimals"),
    [
        ("resnet50", "imagenet", "top1", 0.761, 1),
        ("moco_v2", "imagenet", "top1", 0.702, 1),
        ("moco_v2", "imagenet_a", "top1", 269 / 7500, None),
        ("resnet50", "imagenet_a", "rms_calibration_error_published", 0.62556401743728294, None),
        ("moco_v2", "imagenet_a", "aurra", 0.03745642574405608, None),
        ("resnext101_32x48d_wsl", "imagenet_a", "top1", 0.61, 1),
        ("resnet50", "cue_conflict", "shape_bias", 162 / 734, None),
        ("resnet50", "cue_conflict", "texture_bias", 572 / 734, None),
        ("resnet50", "cue_conflict", "fraction_correct", 734 / 1201, None),
        ("tf_efficientnet_b2_ns", "adversarial", "adversarial_accuracy", 0.056, None),
        ("resnext101_32x16d_wsl", "adversarial", "adversarial_accuracy", 0.407, 1),
    ],
)
def test_published_run_in_our_units(
    model: str, benchmark: str, metric: str, value: float, decimals: int | None
) -> None:
    found = published_value(model, benchmark, metric)
    assert found is not None
    assert found.value == pytest.approx(value, rel=1e-12)
    assert (found.source, found.comparable, found.decimals_known) == (PUBLISHED, True, decimals)


def test_sketch_is_a_fraction() -> None:
    found = published_value("resnet50", "imagenet_sketch", "top1")
    assert found is not None
    assert found.value == pytest.approx(0.22985, abs=5e-6)


def test_testbed_where_nothing_was_published() -> None:
    found = published_value("resnext101_32x48d_wsl", "imagenet", "top1")
    assert found == Published(pytest.approx(0.8544200134277344), TESTBED, True, None)


def test_testbed_corruptions_are_percent_of_another_protocol() -> None:
    found = published_value("resnet50", "imagenet_c", "mce")
    assert found == Published(pytest.approx(78.20173065882312), TESTBED, False, None)


def test_each_source_by_itself() -> None:
    name = ("resnet50", "imagenet", "top1")
    assert values_of(PUBLISHED)[name].value == pytest.approx(0.761)
    assert values_of(TESTBED)[name].value == pytest.approx(0.7613)
    sketch = ("tf_efficientnet_l2_ns", "imagenet_sketch", "top1")
    assert values_of(TESTBED)[sketch].value == pytest.approx(0.47641, abs=5e-6)
    natural = ("tf_efficientnet_l2_ns", "imagenet_a", "top1")
    assert values_of(TESTBED)[natural].value == pytest.approx(6364 / 7500)


def test_alexnet_of_the_testbed_by_its_name() -> None:
    found = published_value("alexnet", "imagenet", "top1")
    assert found == Published(pytest.approx(0.56522), TESTBED, True, None)


def test_points() -> None:
    assert in_points(0.25, "top1") == 25
    assert in_points(76.7, "mce") == 76.7


@pytest.mark.parametrize(
    ("model", "benchmark", "metric"),
    [
        ("tf_efficientnet_l2_ns", "imagenet_c", "mce"),  # an empty field of the testbed
        ("tf_efficientnet_l2_ns_475", "adversarial", "adversarial_accuracy"),  # 224 px only
        ("resnet50", "imagenet_p", "mfr"),
        ("resnet50", "imagenet", "top5"),
        ("mynet", "imagenet", "top1"),
    ],
)
def test_nothing_known(model: str, benchmark: str, metric: str) -> None:
    assert published_value(model, benchmark, metric) is None


def test_every_published_cell_of_the_table_is_found() -> None:
    cells = [
        published_value(model, benchmark, metric)
        for model in published_models()
        for benchmark, metric in (
            ("imagenet_a", "top1"),
            ("cue_conflict", "shape_bias"),
            ("imagenet_sketch", "top1"),
            ("adversarial", "adversarial_accuracy"),
        )
    ]
    # The table leaves the attack on the two largest models open.
    assert sum(cell is None for cell in cells) == 2
    assert all(cell is None or 0 <= cell.value <= 1 for cell in cells)


def test_order_of_the_published_table() -> None:
    models = published_models()
    assert len(set(models)) == 26
    assert models[:3] == ("moco_v2", "resnet50", "resnext101_32x48d_wsl")
    assert models[-1] == "tf_efficientnet_b0"
