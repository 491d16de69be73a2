from typing import Any

import pytest
from run_factory import run_result

from oodbench.reports.published.pipelines import (
    RESIZE256_CROP224,
    model_facts,
    pipeline_text,
    published_pipeline,
    run_pipeline,
    timm_pipeline,
)
from oodbench.runs.key import PIPELINE


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ({}, "as it is"),
        ({"interpolation": "bicubic"}, "as it is"),
        ({"resize": 256, "crop": 224}, RESIZE256_CROP224),
        ({"resize": 256.0, "crop": 224.0, "square_crop": False}, RESIZE256_CROP224),
        ({"resize": [600, 480], "interpolation": "bicubic"}, "resize 600x480 bicubic"),
        (
            {"square_crop": True, "resize": 475, "interpolation": "bicubic"},
            "square crop, resize 475 bicubic",
        ),
        (
            {"resize": 256, "crop": 224, "resize_after_crop": 800, "interpolation": "bicubic"},
            "resize 256 bicubic, crop 224, resize 800 bicubic",
        ),
        (
            {"resize": 256, "crop": 224, "resize_after_crop": 224, "interpolation": "bicubic"},
            "resize 256 bicubic, crop 224",
        ),
    ],
)
def test_text(steps: dict[str, Any], text: str) -> None:
    assert pipeline_text(steps) == text


# Sizes typed from PROTOCOLS of the published run and from timm's floor(size / crop_pct).
@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("resnet50", RESIZE256_CROP224),
        ("moco_v2", RESIZE256_CROP224),
        ("tf_efficientnet_b0", "resize 256 bicubic, crop 224"),
        ("tf_efficientnet_b3", "resize 331 bicubic, crop 300"),
        ("tf_efficientnet_l2_ns", "resize 833 bicubic, crop 800"),
        ("of_nobody", RESIZE256_CROP224),
    ],
)
def test_timm(model: str, text: str) -> None:
    assert timm_pipeline(model) == text


@pytest.mark.parametrize(
    ("model", "benchmark", "text"),
    [
        ("resnet50", "imagenet", RESIZE256_CROP224),
        ("resnet50", "imagenet_sketch", "resize 256 bicubic, crop 224"),
        ("resnet50", "imagenet_c", "crop 224"),
        ("resnet50", "imagenet_p", "as it is"),
        ("resnet50", "adversarial", "square crop, resize 224 bicubic"),
        ("tf_efficientnet_l2_ns", "imagenet_a", "square crop, resize 800 bicubic"),
        (
            "tf_efficientnet_l2_ns",
            "imagenet_sketch",
            "resize 256 bicubic, crop 224, resize 800 bicubic",
        ),
        ("tf_efficientnet_b0", "imagenet_sketch", "resize 256 bicubic, crop 224"),
        ("tf_efficientnet_b6", "cue_conflict", "resize 528 bicubic"),
        ("resnet50", "of_nobody", None),
    ],
)
def test_published(model: str, benchmark: str, text: str | None) -> None:
    assert published_pipeline(model, benchmark) == text


def test_facts_left_to_a_library_are_those_of_a_resnet() -> None:
    usual = {"family": "default", "input_size": 224, "crop_pct": 0.875, "interpolation": "bilinear"}
    assert model_facts("of_nobody") == usual


def test_of_a_run() -> None:
    steps = {"name": "x", "_target_": PIPELINE, "resize": 256, "crop": 224}
    assert run_pipeline(run_result(config={"preprocessing": steps})) == RESIZE256_CROP224


def test_an_own_class_is_like_no_source() -> None:
    mine = {"name": "mine", "_target_": "mine.Preprocessing", "resize": 256, "crop": 224}
    run = run_result(preprocessing="mine", config={"preprocessing": mine})
    assert run_pipeline(run) == "own class: mine"
