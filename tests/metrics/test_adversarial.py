import numpy as np
import pandas as pd
import pytest
from scipy import stats

from oodbench.metrics.adversarial import adversarial

# succeeded, clean prediction right, prediction under attack right
ROWS = [
    (True, True, False),
    (True, False, False),
    (True, True, True),  # never accurate: the attack reached its goal
    (False, True, True),
    (False, True, False),
    (False, False, False),
    (False, False, True),
    (False, True, True),
]


@pytest.fixture
def records() -> pd.DataFrame:
    succeeded, clean, attacked = (np.array(column) for column in zip(*ROWS, strict=True))
    label = np.arange(len(ROWS), dtype=np.int16)
    return pd.DataFrame(
        {
            "label": label,
            "prediction": np.where(attacked, label, 900).astype(np.int16),
            "clean_prediction": np.where(clean, label, 901).astype(np.int16),
            "attack_succeeded": succeeded,
        }
    )


def test_counts_by_hand(records: pd.DataFrame) -> None:
    scores = adversarial(records)
    assert {name: score.value for name, score in scores.items()} == {
        "adversarial_accuracy": 3 / 8,
        "attack_success_rate": 3 / 8,
        "clean_accuracy": 5 / 8,
    }
    assert {score.n for score in scores.values()} == {8}
    directions = [score.higher_is_better for score in scores.values()]
    assert directions == [True, False, True]


def test_the_published_resnet50_cell() -> None:
    # 0.008 % of 25,000 pictures are 2.
    label = np.zeros(25_000, dtype=np.int16)
    prediction = label.copy()
    succeeded = np.ones(25_000, dtype=bool)
    succeeded[:2] = False
    score = adversarial(
        pd.DataFrame(
            {
                "label": label,
                "prediction": prediction,
                "clean_prediction": prediction,
                "attack_succeeded": succeeded,
            }
        )
    )["adversarial_accuracy"]
    assert 100 * score.value == pytest.approx(0.008)
    interval = stats.binomtest(2, 25_000).proportion_ci(0.95, method="wilson")
    assert (score.low, score.high) == pytest.approx((interval.low, interval.high))
