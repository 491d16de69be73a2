"""Targets and successes on logits made by hand."""

import pytest
import torch
from scipy.stats import chisquare

from oodbench.attacks.base import generator_of
from oodbench.attacks.goals import Choice, Goal
from oodbench.core.errors import ConfigError

LOGITS = torch.tensor([[5.0, 1.0, 3.0, 2.0], [0.0, 4.0, 1.0, -1.0]])
LABELS = torch.tensor([0, 3])
FIRST = torch.zeros(2, dtype=torch.int64)
BOTH = torch.arange(2)


def goal(rule: str | int, k: int = 9, logits: torch.Tensor = LOGITS) -> Goal:
    return Choice(rule, k).goal(logits, LABELS, [generator_of(seed) for seed in range(2)])


def test_untargeted() -> None:
    found = goal("none")
    assert found.targets is None
    assert found.sign == -1
    assert found.pursued(BOTH, FIRST).tolist() == [0, 3]
    assert found.reached(LOGITS, BOTH, FIRST).tolist() == [False, True]


def test_least_likely_is_never_the_label() -> None:
    found = goal("least_likely")
    assert found.sign == 1
    assert found.pursued(BOTH, FIRST).tolist() == [1, 0]  # of the second, the label is lowest
    assert found.reached(LOGITS, BOTH, FIRST).tolist() == [False, False]
    assert found.reached(LOGITS.flip(1), BOTH, FIRST).tolist() == [False, False]
    at_target = torch.tensor([[0.0, 9, 0, 0], [9.0, 0, 0, 0]])
    assert found.reached(at_target, BOTH, FIRST).tolist() == [True, True]


def test_top_k_takes_one_class_a_run_and_any_error() -> None:
    found = goal("top_k", 2)
    assert found.targets is not None
    assert found.targets.tolist() == [[2, 3], [1, 2]]
    assert found.pursued(BOTH, torch.tensor([1, 2])).tolist() == [3, 1]
    assert found.reached(LOGITS, BOTH, FIRST).tolist() == [False, True]
    assert Choice("top_k", 2).runs == 2


def test_top_k_of_more_classes_than_there_are() -> None:
    targets = goal("top_k", 9).targets
    assert targets is not None
    assert targets.tolist() == [[2, 3, 1], [1, 2, 0]]


def test_random_is_uniform_over_the_others() -> None:
    count = 3000
    labels = torch.full((count,), 2)
    generators = [generator_of(seed) for seed in range(count)]
    found = Choice("random", 9).goal(torch.zeros(count, 6), labels, generators)
    assert found.targets is not None
    counts = torch.bincount(found.targets[:, 0], minlength=6)
    assert counts[2] == 0
    assert chisquare([int(n) for index, n in enumerate(counts) if index != 2]).pvalue > 1e-3


@pytest.mark.parametrize("rule", ["random", "least_likely", "top_k"])
def test_classes_without_an_output_are_no_targets(rule: str) -> None:
    logits = LOGITS.clone()
    logits[:, 1] = -torch.inf
    targets = goal(rule, logits=logits).targets
    assert targets is not None
    assert not (targets == 1).any()


def test_fixed_class() -> None:
    found = goal(2)
    assert found.pursued(BOTH, FIRST).tolist() == [2, 2]
    lacking = LOGITS.clone()
    lacking[:, 1] = -torch.inf
    with pytest.raises(ConfigError, match=r"attack\.target=1: the model has no output for"):
        goal(1, logits=lacking)
    with pytest.raises(ConfigError, match=r"attack\.target=4: the model has classes 0 to 3"):
        goal(4)


def test_an_image_of_the_fixed_class_is_left_out() -> None:
    found = goal(3)
    assert found.left_out is not None
    assert found.left_out.tolist() == [False, True]
    at_target = torch.tensor([[0.0, 0, 0, 9], [0.0, 0, 0, 9]])
    assert found.reached(at_target, BOTH, FIRST).tolist() == [True, False]
    assert found.missed(LOGITS, BOTH, FIRST).tolist() == [True, False]
    assert found.columns(BOTH, FIRST)["left_out"].tolist() == [False, True]


def test_or_it_is_given_the_next_class_that_there_is() -> None:
    generators = [generator_of(seed) for seed in range(2)]
    after_the_last = Choice(3, 9, "next").goal(LOGITS, LABELS, generators)
    assert (after_the_last.left_out, "left_out" in after_the_last.columns(BOTH, FIRST)) == (
        None,
        False,
    )
    assert after_the_last.pursued(BOTH, FIRST).tolist() == [3, 0]
    lacking = LOGITS.clone()
    lacking[:, 0] = -torch.inf
    found = Choice(3, 9, "next").goal(lacking, LABELS, generators)
    assert found.pursued(BOTH, FIRST).tolist() == [3, 1]


@pytest.mark.parametrize(
    ("rule", "k", "expected"),
    [
        ("leastlikely", 9, r"attack\.target=leastlikely: did you mean least_likely\?"),
        (-1, 9, r"attack\.target=-1"),
        (True, 9, r"attack\.target=True"),
        ("top_k", 0, r"attack\.top_k=0"),
    ],
)
def test_bad_values(rule: str | int, k: int, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        Choice(rule, k)


def test_a_bad_rule_for_own_labels() -> None:
    with pytest.raises(ConfigError, match=r"attack\.target_is_label=skip: "):
        Choice(3, 9, "skip")
