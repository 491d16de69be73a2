import pytest
from figure_runs import accuracy_run, keep, records, share
from run_factory import run_result

from oodbench.metrics.confidence import expected_calibration_error
from oodbench.metrics.score import Score
from oodbench.reports.figures.confidence import confidence, counts_the_same
from oodbench.reports.figures.each_benchmark import each_benchmark
from oodbench.reports.figures.marks import shown_runs
from oodbench.runs.results import read_results
from oodbench.runs.summaries.store import summaries
from oodbench.runs.summaries.summary import Summary


def test_numbers_are_those_of_the_records(tmp_path):
    rows = records(600, 1000)
    keep(accuracy_run("mynet", "imagenet", 600), tmp_path, rows)
    results = read_results(tmp_path).results
    reliability, risk = each_benchmark(confidence, shown_runs(results), summaries(results))
    right = (rows["label"] == rows["prediction"]).to_numpy()
    error = 100 * expected_calibration_error(rows["confidence"].to_numpy(), right)
    assert f"goes from {error:.1f} points (mynet)" in reliability.description
    assert reliability.table["n"].sum() == 1000
    lowest = reliability.table.iloc[0]
    in_bin = rows["confidence"] <= 1 / 15
    assert lowest["accuracy (%)"] == pytest.approx(100 * right[in_bin].mean())
    assert lowest["confidence (%)"] == pytest.approx(100 * rows["confidence"][in_bin].mean())
    assert risk.table["risk (%)"].iloc[-1] == pytest.approx(40)


@pytest.mark.parametrize(
    ("headline", "same"),
    [
        (share(600, 1000), True),
        (share(400, 1000, higher_is_better=False), True),
        (share(610, 1000), False),
        (Score(0.6, 0.5, 0.7, 900, "fraction", False), False),
        (Score(61.0, 50.0, 70.0, 10, "percent", False), True),
    ],
)
def test_only_where_the_headline_counts_the_same(headline, same):
    run = run_result("mynet", "imagenet", {"top1": headline})
    assert counts_the_same(run, Summary(1000, 600)) is same
    assert not counts_the_same(run, Summary(1000))
