import numpy as np
import pytest
from figure_runs import keep, share, stimuli
from run_factory import run_result
from sklearn.metrics import cohen_kappa_score

from oodbench import reference
from oodbench.reports.figures.each_benchmark import each_benchmark
from oodbench.reports.figures.error_consistency import (
    between_people,
    error_consistency,
    people,
)
from oodbench.reports.figures.marks import shown_runs
from oodbench.reports.figures.shape_bias import cues_of
from oodbench.runs.results import RunResult, read_results
from oodbench.runs.summaries.store import summaries


@pytest.fixture
def runs(tmp_path) -> list[RunResult]:
    """Two models that decide at random for shape or texture of all stimuli."""
    names = list(reference.cue_conflict_people())
    for seed, model in enumerate(("a", "b")):
        rng = np.random.default_rng(seed)
        decided = [cues_of(name)[int(rng.uniform() < 0.6)] for name in names]
        scores = {"shape_bias": share(480, 1200)}
        run = run_result(model, "cue_conflict", scores, headline="shape_bias")
        keep(run, tmp_path, stimuli(names, decided))
    return read_results(tmp_path).results


def right_of(run: RunResult) -> dict[str, bool]:
    cues = summaries([run])[run.directory].cues
    assert cues is not None
    return cues.right()


def test_kappa_with_people_and_between_models(runs):
    with_people, between = each_benchmark(error_consistency, shown_runs(runs), summaries(runs))
    table = with_people.table.set_index(["model", "person"])
    assert (table["n"] == 1200).all()
    first, second = (right_of(run) for run in runs)
    for person, theirs in people().items():
        expected = cohen_kappa_score([first[name] for name in theirs], list(theirs.values()))
        assert table.loc[("a", person), "kappa"] == pytest.approx(expected)
    expected = cohen_kappa_score(list(first.values()), [second[name] for name in first])
    assert between.table["kappa"].tolist() == [pytest.approx(expected)]


def test_people_agree_with_each_other():
    answers = list(people().values())
    expected = [
        cohen_kappa_score(list(one.values()), [other[name] for name in one])
        for k, one in enumerate(answers)
        for other in answers[k + 1 :]
    ]
    assert list(between_people()) == pytest.approx(expected)


def test_demo_stimuli_are_not_those_that_people_saw(tmp_path):
    scores = {"shape_bias": share(1, 1)}
    run = run_result("a", "cue_conflict", scores, headline="shape_bias", demo=True)
    keep(run, tmp_path, stimuli(["airplane1-bicycle2.png"], ["airplane"]))
    results = read_results(tmp_path).results
    assert each_benchmark(error_consistency, shown_runs(results), summaries(results)) == []
