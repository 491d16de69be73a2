import numpy as np
import pandas as pd
import pytest

from oodbench.metrics.attack_traits import AttackTraits
from oodbench.metrics.confidence import confidence
from oodbench.runs.summaries.collect import Collector

RNG = np.random.default_rng(0)


def rows(n: int = 40, **columns) -> pd.DataFrame:
    given = {
        "image": [f"n0/{k}.png" for k in range(n)],
        "frame": 0,
        "label": RNG.integers(0, 3, n).astype(np.int16),
        "prediction": RNG.integers(0, 3, n).astype(np.int16),
        "confidence": RNG.uniform(size=n).astype(np.float32),
    }
    return pd.DataFrame({**given, **columns})


def summary_of(*splits: pd.DataFrame, traits: AttackTraits | None = None):
    collector = Collector(traits)
    for split in splits:
        collector.add(split)
    return collector.summary()


def test_several_splits_are_one_table():
    first, second = rows(), rows(25)
    both = pd.concat([first, second])
    found = summary_of(first, second)
    assert (found.n, found.right) == (65, int((both["label"] == both["prediction"]).sum()))
    assert found.reliability is not None
    assert found.reliability.calibration_error == pytest.approx(confidence(both)["ece"].value)
    assert found.classes is not None
    assert sum(found.classes.right) == found.right
    assert found.risk is not None
    assert found.risk.risk[-1] == pytest.approx(1 - found.right / 65)
    assert found.radius is None
    assert found.cues is None


def test_a_decision_among_a_subset_goes_before():
    table = rows(prediction_200way=RNG.integers(0, 3, 40), confidence_200way=np.float32(0.99))
    found = summary_of(table)
    assert found.right == int((table["label"] == table["prediction_200way"]).sum())
    assert found.reliability is not None
    assert found.reliability.n[-1] == 40


def test_a_success_of_the_attack_is_never_right():
    table = rows(attack_succeeded=True, clean_prediction=0)
    assert summary_of(table, traits=AttackTraits(eps=0.1)).right == 0


def test_an_attack_without_a_radius_has_a_curve():
    table = rows(4, attack_succeeded=[True, True, False, False], l2=[0.5, 1.0, 2.0, 2.0])
    table = table.assign(label=1, clean_prediction=[1, 1, 1, 0], prediction=[0, 0, 1, 1])
    found = summary_of(table, traits=AttackTraits(norm="l2")).radius
    assert found is not None
    assert (found.eps, found.accuracy) == ([0, 0.5, 1.0], [0.75, 0.5, 0.25])
    assert summary_of(table, traits=AttackTraits(eps=0.5, norm="l2")).radius is None


def test_clips_have_none():
    found = summary_of(rows(frame=np.arange(40) % 4))
    assert (found.n, found.right, found.reliability, found.classes) == (40, None, None, None)


def test_decisions_among_categories_have_no_confidence():
    table = rows(
        decision_max=RNG.integers(0, 3, 40), shape="bear", texture="bird", published_set=True
    )
    found = summary_of(table)
    assert found.reliability is None
    assert found.risk is None
    assert found.cues is not None
    assert found.right == int((table["decision_max"] == table["label"]).sum())


def test_no_rows():
    assert summary_of().n == 0
