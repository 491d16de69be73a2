import numpy as np
import pytest
from figure_runs import accuracy_run, sweep

from oodbench.reports.figures.marks import shown_runs
from oodbench.reports.figures.parts import parts
from oodbench.reports.figures.severities import severities


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    return shown_runs(sweep(tmp_path_factory.mktemp("outputs"), ["a", "b"]))


def test_every_corruption_at_every_severity(shown):
    (figure,) = severities(shown)
    table = figure.table.pivot_table(
        index=["model", "corruption"], columns="severity", values="error (%)"
    )
    np.testing.assert_allclose(table.loc[("a", "fog")], [10, 20, 30, 40, 50])
    np.testing.assert_allclose(table.loc[("b", "jpeg compression")], [20, 30, 40, 50, 60])
    assert "from 30.0 % (fog) to 40.0 % (jpeg compression)" in figure.description


def test_the_score_that_the_config_names(shown):
    (figure,) = parts(shown)
    assert figure.table["value"].tolist() == [50, 51, 51, 52]
    assert figure.table["part"].tolist() == ["fog", "jpeg compression"] * 2
    assert "from 50.0 % (a, fog) to 52.0 % (b, jpeg compression)" in figure.description


def test_benchmarks_of_one_part_have_none():
    shown = shown_runs([accuracy_run("a", "imagenet", 500)])
    assert parts(shown) == []
    assert severities(shown) == []
