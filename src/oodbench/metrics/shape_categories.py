"""Accuracy among the 16 categories of Geirhos et al. (2019), beside that of people."""

import pandas as pd

from oodbench.metrics.intervals import rate, wilson
from oodbench.metrics.score import Score
from oodbench.reference import HumanAnswers


def category_accuracy(records: pd.DataFrame, people: HumanAnswers) -> dict[str, dict[str, Score]]:
    """How often the category of a stimulus is decided for.

    Two rules: the category of the best logit of all member classes (`decision_max`), and the
    largest mean probability of a category's members (`decision_mean`), which the authors recommend.

    Args:
        records: rows with `label`, `decision_max` and `decision_mean`, indices among the 16
            alphabetical categories, and `category`, its name.
        people: their answers to the same stimuli.

    Returns:
        Under "" `accuracy` (best member class, as the shape bias), `accuracy_mean_rule` and
        `accuracy_of_people`, which does not depend on the records: n counts answers, and one that
        was not given is wrong. Under each category that occurs the first two.
    """
    scores = {
        "": {
            **_both_rules(records),
            "accuracy_of_people": Score(
                people.correct / people.answers,
                *wilson(people.correct, people.answers),
                people.answers,
                note=f"{people.observers} people, Geirhos et al. 2019",
            ),
        }
    }
    for category in sorted(records["category"].unique()):
        scores[category] = _both_rules(records[records["category"] == category])
    return scores


def _both_rules(records: pd.DataFrame) -> dict[str, Score]:
    label = records["label"].to_numpy()
    return {
        "accuracy": rate(records["decision_max"].to_numpy() == label),
        "accuracy_mean_rule": rate(records["decision_mean"].to_numpy() == label),
    }
