import csv
from importlib.resources import files

import pytest

from oodbench.reference import published_models, read_table
from oodbench.reports.published.pipelines import RESIZE256_CROP224, timm_pipeline
from oodbench.reports.published.sources import Reference, references

TABLES = ("timm_results.csv", "literature_results.csv", "tolerances.csv", "known_gaps.csv")


def by_source(model: str, benchmark: str, metric: str) -> dict[str, Reference]:
    found = references(model, benchmark, metric)
    assert len({reference.source for reference in found}) == len(found)
    return {reference.source: reference for reference in found}


# Numbers typed from the sources' own tables.
def test_largest_model_on_sketch() -> None:
    found = by_source("tf_efficientnet_l2_ns", "imagenet_sketch", "top1")
    assert list(found) == ["published", "timm", "imagenet-testbed"]
    assert found["published"].value == pytest.approx(52.66, abs=0.005)
    assert found["published"].pipeline == "resize 256 bicubic, crop 224, resize 800 bicubic"
    assert found["published"].decimals is None
    assert (found["timm"].value, found["timm"].decimals) == (47.401, 3)
    assert found["timm"].pipeline == "resize 833 bicubic, crop 800"
    testbed = found["imagenet-testbed"]
    assert testbed.value == pytest.approx(47.641, abs=0.0005)
    assert (testbed.pipeline, testbed.protocol) == (None, "other port")


def test_resnet50_on_imagenet() -> None:
    found = by_source("resnet50", "imagenet", "top1")
    values = {source: round(reference.value, 3) for source, reference in found.items()}
    assert values == {
        "published": 76.1,
        "timm": 76.156,
        "imagenet-testbed": 76.13,
        "literature": 76.13,
    }
    assert {reference.pipeline for reference in found.values()} == {RESIZE256_CROP224}
    assert {reference.protocol for reference in found.values()} == {""}
    assert found["published"].decimals == 1


def test_corruptions_of_resnet50() -> None:
    found = by_source("resnet50", "imagenet_c", "mce")
    assert (found["literature"].value, found["literature"].pipeline) == (76.7, "crop 224")
    assert found["imagenet-testbed"].value == pytest.approx(78.2, abs=0.005)
    assert found["imagenet-testbed"].protocol == "re-cropped files"


def test_perturbations_of_resnet50() -> None:
    assert by_source("resnet50", "imagenet_p", "mfr")["literature"].value == 58.0
    assert by_source("resnet50", "imagenet_p", "mt5d")["literature"].value == 78.4


def test_shape_bias_of_resnet50_by_two_rules() -> None:
    mean = by_source("resnet50", "cue_conflict", "shape_bias_mean_rule")
    assert (mean["literature"].value, mean["literature"].protocol) == (21.39, "")
    best = by_source("resnet50", "cue_conflict", "shape_bias")
    assert best["published"].value == pytest.approx(100 * 162 / 734)
    assert best["literature"].protocol == "mean rule"


def test_alexnet() -> None:
    assert by_source("alexnet", "imagenet", "top1")["imagenet-testbed"].value == pytest.approx(
        56.522
    )
    assert by_source("alexnet", "imagenet_c", "mce")["literature"].value == 100.0
    bias = by_source("alexnet", "cue_conflict", "shape_bias_mean_rule")["literature"]
    assert bias.value == pytest.approx(100 * 182 / (182 + 537), abs=0.005)
    bias = by_source("vgg16", "cue_conflict", "shape_bias_mean_rule")["literature"]
    assert bias.value == pytest.approx(100 * 84 / (84 + 828), abs=0.005)


def test_attack_at_224_pixels() -> None:
    found = by_source("tf_efficientnet_l2_ns_475", "adversarial", "adversarial_accuracy")
    assert found["literature"].value == 22.3
    assert found["literature"].pipeline == "square crop, resize 224 bicubic"


def test_nothing_known() -> None:
    assert references("resnet50", "imagenet", "top5") == []
    assert references("mynet", "imagenet", "top1") == []


def test_timm_covers_what_timm_publishes() -> None:
    rows = read_table("timm_results.csv")
    names = [(row["model"], row["benchmark"]) for row in rows]
    assert len(set(names)) == len(names) == 24 + 23 + 24
    without = set(published_models()) - {row["model"] for row in rows}
    assert without == {"moco_v2", "resnext101_32x48d_wsl"}
    assert all(len(row["value"].partition(".")[2]) == 3 for row in rows)
    assert timm_pipeline("resnet50") == RESIZE256_CROP224


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_whole_and_names_its_source(table: str) -> None:
    text = files("oodbench.reference").joinpath(table).read_text("utf-8")
    rows = list(csv.reader(text.splitlines()))
    assert all(len(row) == len(rows[0]) for row in rows)
    assert all(row["source"] for row in read_table(table))
