import pytest
from figure_runs import accuracy_run, keep

from oodbench.reports.figures.cost import cost
from oodbench.reports.figures.marks import shown_runs
from oodbench.reports.figures.spread import spread
from oodbench.runs.results import read_results


def other(model: str, right: int, way: str, key: str, **changed):
    words = [f"preprocessing={way}"]
    return accuracy_run(
        model, "imagenet", right, key=key, preprocessing=way, difference=words, **changed
    )


def test_dots_of_each_preprocessing():
    runs = [
        accuracy_run("a", "imagenet", 700),
        other("a", 720, "timm", "00000000000a"),
        other("a", 690, "squash", "00000000000b"),
        accuracy_run("b", "imagenet", 500),
    ]
    (figure,) = spread(runs)
    assert figure.name == "spread_preprocessing_imagenet"
    assert figure.table["preprocessing"].tolist() == ["timm", "published", "squash"]
    assert figure.table["points"].tolist() == pytest.approx([72, 70, 69])
    assert figure.table["range"].tolist() == pytest.approx([3, 3, 3])
    assert "3.0 points (a)" in figure.description


def test_nothing_varied():
    assert spread([accuracy_run("a", "imagenet", 700), accuracy_run("b", "imagenet", 500)]) == []


def test_cost_is_that_of_all_sessions(tmp_path):
    keep(accuracy_run("a", "imagenet", 500), tmp_path)
    keep(accuracy_run("b", "imagenet", 500), tmp_path)
    results = read_results(tmp_path).results
    results[1].paths.info.write_text("{}", "utf-8")
    (figure,) = cost(shown_runs(results))
    assert figure.table["model"].tolist() == ["a"]
    assert figure.table["items a second"].tolist() == [5]
    assert cost(shown_runs(results[1:])) == []
