"""Best cells and what cannot be told from them, with records and without."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_factory import run_result, score, store, store_records
from statsmodels.stats.contingency_tables import mcnemar

from oodbench.metrics.intervals import wilson
from oodbench.reports.tables.asked import Asked
from oodbench.reports.tables.right import right_pictures
from oodbench.reports.tables.show import asked_view
from oodbench.reports.tables.write import read_stored
from oodbench.runs.paths import all_runs

N = 400


def stored(root: Path, model: str, right: np.ndarray, *, records: bool = True, **more: Any) -> None:
    n = len(right)
    value = score(float(right.mean()), *wilson(int(right.sum()), n), n=n)
    counts = {"": {"n_items": n, "n": n, "n_expected": N, "skipped": []}}
    key = f"{sum(map(ord, model)):012x}"
    result = run_result(model, scores={"top1": value}, splits=counts, key=key, **more)
    folder = store(result, root)
    if records:
        columns: dict[str, list[Any]] = {
            "image": [f"n01440764/{number}.JPEG" for number in range(n)],
            "split": [""] * n,
            "frame": [0] * n,
            "label": [0] * n,
            "prediction": np.where(right, 0, 1).tolist(),
        }
        store_records(folder, "", columns)


def best_of(root: Path, problems: list[str] | None = None, **asked: Any) -> set[str]:
    view = asked_view(
        read_stored(root), Asked(best=True, **asked), [] if problems is None else problems
    )
    return {str(row.labels[0]) for row in view.rows if any(cell.best for cell in row.cells)}


@pytest.fixture
def flags() -> dict[str, np.ndarray]:
    """`near` fails on 12 more pictures than `best`, which is more than chance, and less than their
    own intervals tell apart; `close` fails on three more."""
    best = np.random.default_rng(0).random(N) < 0.8
    wrong = np.flatnonzero(best)
    near, close, far = best.copy(), best.copy(), best.copy()
    near[wrong[:12]] = False
    close[wrong[:3]] = False
    far[wrong[:100]] = False
    return {"best": best, "near": near, "close": close, "far": far}


def test_pictures_tell_apart_what_intervals_do_not(
    tmp_path: Path, flags: dict[str, np.ndarray]
) -> None:
    for model, right in flags.items():
        stored(tmp_path, model, right)
    table = [[0, 12], [0, 0]]
    assert 3 * mcnemar(table, exact=True).pvalue < 0.05
    assert mcnemar([[0, 3], [0, 0]], exact=True).pvalue > 0.05
    assert best_of(tmp_path) == {"best", "close"}
    kept = [paths.right for paths in all_runs(tmp_path)]
    assert all(file.is_file() for file in kept)
    for paths in all_runs(tmp_path):
        for file in paths.records.iterdir():
            file.unlink()
    assert best_of(tmp_path) == {"best", "close"}  # from what was kept


def test_without_records_intervals_decide_and_a_line_says_so(
    tmp_path: Path, flags: dict[str, np.ndarray]
) -> None:
    for model, right in flags.items():
        stored(tmp_path, model, right, records=model != "near")
    problems: list[str] = []
    assert best_of(tmp_path, problems) == {"best", "close", "near"}
    assert len(problems) == 1
    assert "missing: run the same cell again" in problems[0]


def test_on_other_data_pictures_are_not_paired(
    tmp_path: Path, flags: dict[str, np.ndarray]
) -> None:
    stored(tmp_path, "best", flags["best"])
    stored(tmp_path, "near", flags["near"], dataset_fingerprint="1")
    assert best_of(tmp_path) == {"best", "near"}


def test_a_partial_run_is_compared_on_its_pictures(
    tmp_path: Path, flags: dict[str, np.ndarray]
) -> None:
    """Of the first 40 pictures alone, where `best` is better on no more than a few."""
    stored(tmp_path, "best", flags["best"])
    stored(tmp_path, "part", flags["close"][:40], status="partial")
    assert best_of(tmp_path) == {"best", "part"}
    stored(tmp_path, "worse", np.zeros(40, bool), status="partial")
    assert best_of(tmp_path) == {"best", "part"}


def test_differences_from_a_model_are_paired(tmp_path: Path, flags: dict[str, np.ndarray]) -> None:
    for model in ("best", "near"):
        stored(tmp_path, model, flags[model])
    view = asked_view(read_stored(tmp_path), Asked(against="best"), [])
    (row,) = view.rows
    moved = row.cells[0].difference
    assert moved is not None
    assert moved.paired
    assert moved.value == pytest.approx(-12 / N)
    drawn = np.random.default_rng(3).binomial(N, 12 / N, 4000) / N
    low, high = np.percentile(-drawn, [2.5, 97.5])
    assert (moved.low, moved.high) == pytest.approx((low, high), abs=0.004)
    assert row.cells[0].text.startswith("-3.0 [")
    assert "~" not in row.cells[0].text


def test_runs_under_other_attacks_do_not_compete(
    tmp_path: Path, flags: dict[str, np.ndarray]
) -> None:
    stored(tmp_path, "best", flags["best"])
    stored(tmp_path, "weak", flags["far"], attack="fgsm", difference=["attack=fgsm"])
    assert best_of(tmp_path) == {"best", "weak (attack=fgsm)"}


def test_a_damaged_file_of_right_pictures_is_made_again(
    tmp_path: Path, flags: dict[str, np.ndarray]
) -> None:
    stored(tmp_path, "best", flags["best"])
    (run,) = read_stored(tmp_path).results
    expected = flags["best"].astype(np.int8)
    for content in (None, "{}", "no JSON", '{"rests_on": 1, "right": "x"}'):
        if content is not None:
            run.paths.right.write_text(content)
        found = right_pictures(run, [])
        assert found is not None
        np.testing.assert_array_equal(found, expected)
