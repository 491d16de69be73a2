import pandas as pd
import pytest
from figure_runs import keep, share, stimuli
from run_factory import run_result

from oodbench import reference
from oodbench.reports.figures.each_benchmark import each_benchmark
from oodbench.reports.figures.marks import shown_runs
from oodbench.reports.figures.shape_bias import ALL, networks, people, pooled, shape_bias
from oodbench.runs.results import read_results
from oodbench.runs.summaries.store import summaries


def test_people_together_are_known():
    """9,236 decisions for shape and 398 for texture (Geirhos et al. 2019): 95.87 %."""
    found = pooled(people())[ALL]
    assert len(people()) == 10
    assert (found.shape, found.texture, found.n) == (9236, 398, 12000)
    assert found.shape_bias == pytest.approx(0.9587, abs=5e-5)


def test_people_are_those_of_pandas():
    answers = pd.DataFrame(
        [{"stimulus": name, **row} for name, row in reference.cue_conflict_people().items()]
    ).set_index("stimulus")
    names = answers.index.to_series()
    shape = names.str.extract(r"^([a-z]+)\d+-")[0]
    texture = names.str.extract(r"-([a-z]+)\d+\.png$")[0]
    conflict = shape != texture
    assert conflict.sum() == 1200
    for person, counts in zip(answers, people(), strict=True):
        by_shape = (answers[person] == shape)[conflict & (shape == "knife")].sum()
        by_texture = (answers[person] == texture)[conflict & (shape == "knife")].sum()
        assert (counts["knife"].shape, counts["knife"].texture) == (by_shape, by_texture)


@pytest.mark.parametrize(
    ("network", "percent"), [("AlexNet", 42.9), ("GoogLeNet", 31.2), ("VGG-16", 17.2)]
)
def test_classic_networks_are_known(network, percent):
    assert 100 * networks()[network][ALL].shape_bias == pytest.approx(percent, abs=0.05)


def test_a_run_beside_them(tmp_path):
    names = ["dog1-cat1.png", "dog2-cat2.png", "cat1-dog1.png", "bear1-bear2.png"]
    scores = {"shape_bias": share(1, 2)}
    run = run_result("mynet", "cue_conflict", scores, headline="shape_bias")
    keep(run, tmp_path, stimuli(names, ["dog", "cat", "oven", "bear"]))
    results = read_results(tmp_path).results
    (figure,) = each_benchmark(shape_bias, shown_runs(results), summaries(results))
    own = figure.table[figure.table["observer"] == "mynet"].set_index("category")
    assert own.loc[ALL, "shape bias (%)"] == 50
    assert own.loc["dog", ["shape", "texture"]].tolist() == [1, 1]
    assert pd.isna(own.loc["cat", "shape bias (%)"])
    assert "People: 95.9 %; AlexNet 42.9 %, GoogLeNet 31.2 %, VGG-16 17.2 %." in figure.description
