import csv
import math
from pathlib import Path

import pytest
from figure_runs import accuracy_run
from scipy.special import expit, logit
from scipy.stats import linregress

from oodbench import reference
from oodbench.metrics.intervals import wilson
from oodbench.reports.figures.effective_robustness import effective_robustness
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.marks import shown_runs
from oodbench.reports.figures.svg import svg
from oodbench.runs.results import RunResult


def figures(*runs: RunResult) -> dict[str, Figure]:
    return {figure.name: figure for figure in effective_robustness(shown_runs(runs))}


def standard_line(standard: str, shifted: str):
    """Of imagenet-testbed's standard models, from the file alone."""
    file = Path(reference.__file__).parent / "baselines_testbed.csv"
    rows = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    pairs = [
        (float(row[standard]) / 100, float(row[shifted]) / 100)
        for row in rows
        if row["type"] == "standard" and row[standard] and row[shifted]
    ]
    return linregress(*(logit(values) for values in zip(*pairs, strict=True)))


@pytest.mark.parametrize(
    ("benchmark", "control", "columns"),
    [
        ("imagenet_v2_matched_frequency", "imagenet", ("imagenet", "imagenet_v2")),
        ("imagenet_r", "imagenet_r_clean", ("imagenet_r_clean", "imagenet_r")),
        ("objectnet", "objectnet_clean", ("objectnet_clean", "objectnet")),
    ],
)
def test_points_above_the_line_of_the_class_matched_control(benchmark, control, columns):
    found = figures(accuracy_run("mynet", control, 800), accuracy_run("mynet", benchmark, 700))
    row = found[f"effective_robustness_{benchmark}"].table.iloc[0]
    line = standard_line(*columns)
    expected = 100 * expit(line.intercept + line.slope * logit(0.8))
    assert row["expected (%)"] == pytest.approx(expected)
    assert row["effective robustness"] == pytest.approx(70 - expected)
    low, high = wilson(700, 1000)
    assert row["low"] == pytest.approx(100 * low - expected)
    assert row["high"] == pytest.approx(100 * high - expected)


def test_a_filtered_set_has_no_line():
    found = figures(
        accuracy_run("mynet", "imagenet_a_clean", 900), accuracy_run("mynet", "imagenet_a", 20)
    )["effective_robustness_imagenet_a"]
    assert "effective robustness" not in found.table
    assert "No line is fitted: its pictures were chosen because a ResNet-50" in found.caption
    assert "mynet" in found.description


def test_a_set_with_other_classes_needs_its_control():
    assert not figures(
        accuracy_run("mynet", "imagenet", 800), accuracy_run("mynet", "imagenet_r", 9)
    )


def test_all_right_and_all_wrong_are_drawn_without_a_place():
    found = figures(
        *(accuracy_run(name, "imagenet", right) for name, right in (("a", 1000), ("b", 500))),
        *(accuracy_run(name, "imagenet_sketch", right) for name, right in (("a", 0), ("b", 0))),
    )["effective_robustness_imagenet_sketch"]
    assert math.isnan(found.table["effective robustness"][0])
    assert found.table["effective robustness"][1] < 0
    assert "a: 100.0 % without" in svg(found)


def test_only_models_with_both_runs():
    found = figures(
        accuracy_run("a", "imagenet", 800),
        accuracy_run("a", "imagenet_sketch", 300),
        accuracy_run("b", "imagenet_sketch", 300),
        accuracy_run("c", "imagenet", 300),
    )["effective_robustness_imagenet_sketch"]
    assert list(found.table["model"]) == ["a"]
