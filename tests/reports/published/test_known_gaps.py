from typing import Any

import pytest

from oodbench.reference import read_table
from oodbench.reports.published.known_gaps import KnownGap, known_gap, same_pipeline
from oodbench.reports.published.pipelines import (
    RESIZE256_CROP224,
    published_pipeline,
    timm_pipeline,
)
from oodbench.reports.published.sources import Reference, references

L2 = "tf_efficientnet_l2_ns"


def of(source: str, model: str, benchmark: str, metric: str = "top1") -> Reference:
    (found,) = [r for r in references(model, benchmark, metric) if r.source == source]
    return found


def pipeline_of(model: str, benchmark: str) -> str:
    text = published_pipeline(model, benchmark)
    assert text is not None
    return text


def test_same_pipeline_by_its_steps() -> None:
    timm = of("timm", "resnet50", "imagenet")
    assert same_pipeline(RESIZE256_CROP224, timm)
    assert not same_pipeline("resize 256 bicubic, crop 224", timm)
    assert not same_pipeline(RESIZE256_CROP224, of("literature", "moco_v2", "imagenet"))


def test_sketch_of_the_largest_model() -> None:
    published = pipeline_of(L2, "imagenet_sketch")
    found = known_gap(L2, "imagenet_sketch", "top1", published, of("timm", L2, "imagenet_sketch"))
    assert found is not None
    assert "enlarges a 224-pixel crop" in found.reason
    assert found.contains(52.66 - 47.40)
    assert not found.contains(0.5)
    back = known_gap(
        L2, "imagenet_sketch", "top1", timm_pipeline(L2), of("published", L2, "imagenet_sketch")
    )
    assert back is not None
    assert back.contains(47.40 - 52.66)


def test_a_gap_between_pipelines_does_not_explain_one_pipeline() -> None:
    model, benchmark = "tf_efficientnet_b0", "imagenet_sketch"
    # At 224 pixels there is nothing to enlarge: published and timm are one pipeline.
    assert pipeline_of(model, benchmark) == timm_pipeline(model)
    timm = of("timm", model, benchmark)
    assert known_gap(model, benchmark, "top1", timm_pipeline(model), timm) is None


def test_label_of_the_autoaugment_models_is_no_gap_in_numbers() -> None:
    model = "tf_efficientnet_b6"
    pipeline = pipeline_of(model, "imagenet_a")
    found = known_gap(model, "imagenet_a", "top1", pipeline, of("published", model, "imagenet_a"))
    assert found is not None
    assert "AutoAugment" in found.reason
    assert not found.contains(0.3)


@pytest.mark.parametrize(
    ("source", "model", "benchmark", "metric", "word"),
    [
        ("imagenet-testbed", "resnet50", "imagenet_c", "mce", "cropped them again"),
        (
            "literature",
            "tf_efficientnet_l2_ns_475",
            "adversarial",
            "adversarial_accuracy",
            "224 pixels",
        ),
    ],
)
def test_never_subtracted(source: str, model: str, benchmark: str, metric: str, word: str) -> None:
    pipeline = pipeline_of(model, benchmark)
    found = known_gap(model, benchmark, metric, pipeline, of(source, model, benchmark, metric))
    assert found is not None
    assert not found.subtracted
    assert not found.contains(0.0)
    assert word in found.reason


def test_limits_belong_to_the_gap() -> None:
    gap = KnownGap(-1.0, 2.0, "")
    assert [gap.contains(value) for value in (-1.1, -1.0, 2.0, 2.1)] == [False, True, True, False]


@pytest.mark.parametrize("row", read_table("known_gaps.csv"), ids=str)
def test_rows(row: dict[str, Any]) -> None:
    assert row["pipeline"] in {"same", "published", "timm", "other", "*"}
    assert row["against"] in {"published", "timm", "imagenet-testbed", "literature", "*"}
    assert row["reason"]
    assert bool(row["low"]) == bool(row["high"])
    if row["low"]:
        assert float(row["low"]) <= float(row["high"])
