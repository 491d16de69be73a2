"""Runs that look alike but were made otherwise stand in rows that say so."""

from typing import Any

from run_factory import run_result

from oodbench.reports.tables.rows import chosen_runs, rows_of
from oodbench.runs.results import RunResult

MODEL = {"network": {"_target_": "mynet.Net", "width": 8}, "weights": "sha256:" + "ab" * 32}


def result(key: str, benchmark: str = "imagenet", modified: float = 1.0, **parts: Any) -> RunResult:
    config = {"model": MODEL, "attack": {"name": "none"}, "seed": 0, **parts}
    return run_result("mynet", benchmark, key=key, modified=modified, config=config)


def rows(*results: RunResult) -> dict[str, str]:
    return {run.key: row.difference for run, row in zip(results, rows_of(results), strict=True)}


def test_one_model_stands_in_one_row() -> None:
    assert rows(result("1"), result("2", "imagenet_a"), result("3", "cue_conflict")) == {
        "1": "",
        "2": "",
        "3": "",
    }


def test_a_model_that_was_trained_again_is_another_one() -> None:
    """The cells of one row are of one network: the older one says which weights it had."""
    again = {**MODEL, "weights": "sha256:" + "cd" * 32}
    found = rows(
        result("old", modified=1.0),
        result("old_a", "imagenet_a", modified=1.0),
        result("new", modified=2.0, model=again),
    )
    old = "model.weights=sha256:abababab…"
    assert found == {"old": old, "old_a": old, "new": ""}


def test_so_is_one_whose_own_config_was_changed() -> None:
    wider = {**MODEL, "network": {"_target_": "mynet.Net", "width": 16, "depth": None}}
    found = rows(result("old", modified=1.0), result("new", modified=2.0, model=wider))
    assert found == {"old": "model.network.width=8, ~model.network.depth", "new": ""}


def test_a_benchmark_that_was_changed_shares_no_cell() -> None:
    one, other = ({"protocol": {"seed": seed}, "version": 1} for seed in (1, 2))
    found = rows(
        result("old", benchmark="mine", modified=1.0) | one if False else run_with("old", 1.0, one),
        run_with("new", 2.0, other),
        result("elsewhere", "imagenet_a"),
    )
    assert found == {"old": "benchmark.protocol.seed=1", "new": "", "elsewhere": ""}


def run_with(key: str, modified: float, benchmark: dict[str, Any]) -> RunResult:
    config = {"model": MODEL, "benchmark": benchmark}
    return run_result("mynet", "mine", key=key, modified=modified, config=config)


def test_what_changes_no_number_makes_no_row() -> None:
    pipeline = {"_target_": "oodbench.preprocessing.Preprocessing", "resize": 8}
    attack = {"_target_": "a.B", "eps": 1.0}
    found = rows(
        result(
            "old",
            preprocessing={**pipeline, "name": "published", "backend": "pil"},
            attack={**attack, "name": "one", "memory": "auto"},
        ),
        result(
            "new",
            preprocessing={**pipeline, "name": "timm"},
            attack={**attack, "name": "other"},
        ),
    )
    assert found == {"old": "", "new": ""}


def test_a_seed_counts_only_beside_an_attack() -> None:
    attack = {"name": "pgd", "_target_": "a.B"}
    assert rows(result("1", seed=1, modified=1.0), result("2", seed=2, modified=2.0))["1"] == ""
    found = rows(
        result("1", seed=1, modified=1.0, attack=attack),
        result("2", seed=2, modified=2.0, attack=attack),
    )
    assert found == {"1": "seed=1", "2": ""}


def test_each_row_and_benchmark_has_one_run() -> None:
    runs = [result("1", modified=1.0), result("2", modified=2.0), result("3", "imagenet_a")]
    chosen = {(row.difference, name): run.key for (row, name), run in chosen_runs(runs).items()}
    assert chosen == {("", "imagenet"): "2", ("", "imagenet_a"): "3"}


def test_results_from_before_configs_were_stored_stay_in_their_row() -> None:
    old = [run_result("mynet", key=key, config={}) for key in "12"]
    assert [row.difference for row in rows_of(old)] == ["", ""]
