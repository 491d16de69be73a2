"""Scores as a reader sees them."""

from math import nan
from pathlib import Path
from typing import Any

import pytest

from oodbench.metrics.score import Score, format_score
from oodbench.reports.text import describe
from oodbench.runs.results import RunResult


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (Score(0.7613, 0.75756, 0.7650, 50000), "76.1 % [75.8, 76.5]  n=50000"),
        (Score(0.0, 0.0, 0.0005, 7500), "0.0 % [0.0, 0.1]  n=7500"),
        (Score(1.0, 0.5, 1.0, 4), "100.0 % [50.0, 100.0]  n=4"),
        (Score(0.5, nan, nan, 10), "50.0 %  n=10"),
        (Score(76.7, nan, nan, 75, unit="percent"), "76.7 %  n=75"),
        (Score(104.25, 103.0, 105.5, 75, unit="percent"), "104.2 % [103.0, 105.5]  n=75"),
        (Score(2.5, 2.375, 2.75, 30, unit="distance"), "2.50 [2.38, 2.75]  n=30"),
        (Score(nan, nan, nan, 0), "–"),
        (Score(nan, nan, nan, 0, note="no decision"), "–  (no decision)"),
        (Score(0.25, nan, nan, 8, note="14 of 15"), "25.0 %  n=8  (14 of 15)"),
    ],
)
def test_a_score_has_value_interval_and_count(score: Score, text: str) -> None:
    assert format_score(score) == text


def result(**changes: Any) -> RunResult:
    facts: dict[str, Any] = {
        "key": "0123456789ab",
        "model": "resnet50",
        "benchmark": "imagenet_a",
        "preprocessing": "published",
        "attack": "none",
        "difference": [],
        "status": "complete",
        "demo": False,
        "extension": False,
        "headline": "top1",
        "n_images": 4,
        "n_expected": 4,
        "splits": {},
        "missing_splits": [],
        "notes": [],
        "scores": {"": {"top1": Score(0.5, nan, nan, 4), "aurra": Score(0.25, nan, nan, 4)}},
        "weights": None,
        "precision": "fp32",
        "dataset_fingerprint": "",
        "config": {},
        "attack_traits": None,
    }
    return RunResult(**{**facts, **changes})


def test_a_plain_result() -> None:
    folder = Path("outputs") / "0123456789ab"
    assert describe(result(directory=folder)).splitlines() == [
        "resnet50 × imagenet_a",
        "  top1   50.0 %  n=4",
        "  aurra  25.0 %  n=4",
        f"  {folder / 'result.json'}",
    ]


def test_everything_that_restricts_a_result_is_said() -> None:
    lines = describe(
        result(
            difference=["attack.eps=0.03"],
            status="partial",
            n_expected=7500,
            demo=True,
            extension=True,
            notes=["random weights"],
        )
    ).splitlines()
    assert lines[0] == (
        "resnet50 × imagenet_a (attack.eps=0.03)  "
        "[partial: 4 of 7500; demo data; extension of the published protocol]"
    )
    assert "  note: random weights" in lines
    assert lines[-1] == "  0123456789ab"


def test_checks_of_the_attack_that_warn_are_named() -> None:
    verdicts = {"gradient of zero": "warn", "loss moved the wrong way": "pass", "mine": "warn"}
    checks = [{"name": name, "verdict": verdict} for name, verdict in verdicts.items()]
    line = "  the attack's checks warn: gradient of zero, mine: oodbench-table --attack-report "
    assert f"{line}says why" in describe(result(attack_report={"checks": checks})).splitlines()
    assert "warn" not in describe(result(attack_report={"checks": checks[1:2]}))


def test_a_result_without_overall_scores_is_described() -> None:
    assert describe(result(scores={})).splitlines() == ["resnet50 × imagenet_a", "  0123456789ab"]


def test_pictures_that_could_not_be_read_are_counted_and_the_first_are_named() -> None:
    skipped = [{"image": f"{name}.jpg", "reason": "cut short"} for name in "abcdef"]
    splits = {"": {"n_items": 10, "n": 4, "n_expected": 10, "skipped": skipped}}
    assert (
        "  skipped: 6 of 10 items could not be read and are left out: "
        "a.jpg, b.jpg, c.jpg, d.jpg, e.jpg, …"
    ) in describe(result(splits=splits)).splitlines()


def test_of_several_splits_it_is_said_what_n_counts() -> None:
    """ImageNet-C of four pictures: 300 files at 15 corruptions x 5 severities, n=4."""
    splits: dict[str, Any] = {f"fog/{k}": {} for k in range(75)}
    scores = {"": {"mce": Score(68.6, nan, nan, 4, "percent")}}
    said = describe(result(splits=splits, n_images=300, scores=scores)).splitlines()
    assert said[1:3] == [
        "  mce  68.6 %  n=4",
        "  n counts different pictures, which the 300 items of 75 splits show",
    ]
    assert "n counts" not in describe(result(splits={"": {"n_items": 4}}))


def test_an_unknown_count_and_other_data_are_said() -> None:
    counts = {"n_items": 4, "n": 4, "n_expected": 4, "skipped": [], "is_count_known": False}
    text = describe(result(splits={"": counts}, trained_on="LAION-2B"))
    assert "[official count unknown]" in text.splitlines()[0]
    assert "  trained on LAION-2B, too" in text.splitlines()
