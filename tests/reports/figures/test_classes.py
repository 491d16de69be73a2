import pandas as pd
import pytest
from figure_runs import accuracy_run, keep, records

from oodbench.reference import class_names
from oodbench.reports.figures.classes import classes
from oodbench.reports.figures.each_benchmark import each_benchmark
from oodbench.reports.figures.marks import shown_runs
from oodbench.runs.results import read_results
from oodbench.runs.summaries.store import summaries


def figures(tmp_path, rows: pd.DataFrame, right: int):
    keep(accuracy_run("mynet", "imagenet", right, len(rows)), tmp_path, rows)
    results = read_results(tmp_path).results
    return each_benchmark(classes, shown_runs(results), summaries(results))


def test_the_hardest_classes_are_those_of_pandas(tmp_path):
    rows = records(60, 100)
    (figure,) = figures(tmp_path, rows, 60)
    right = rows["label"] == rows["prediction"]
    expected = right.groupby(rows["label"]).mean().sort_values(kind="stable")
    assert figure.table["label"].tolist() == expected.index.tolist()
    assert figure.table["accuracy (%)"].tolist() == pytest.approx((100 * expected).tolist())
    hardest = class_names()[expected.index[0]].replace("_", " ")
    assert f"The hardest is {hardest} with" in figure.description


def test_a_picture_a_class_says_nothing(tmp_path):
    rows = records(3, 6).assign(label=range(6))
    rows["prediction"] = [0, 1, 2, 9, 9, 9]
    assert figures(tmp_path, rows, 3) == []
