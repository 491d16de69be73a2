"""Derived scores are computed once, and again when something that they rest on has changed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from published_names import PERTURBATIONS
from run_factory import run_result, score, store, store_records

from oodbench.metrics.score import Score
from oodbench.reports import derived
from oodbench.reports.derived import derive
from oodbench.runs.results import RunResult, read_results
from oodbench.runs.scoring import rescore

IMAGENET_P = "oodbench.benchmarks.trees.ImageNetP"


class RecordsAreRead(Exception):
    """Raised where a test forbids it."""


def counts(n: int) -> dict[str, Any]:
    return {"n_items": n, "n": n, "n_expected": n, "skipped": []}


def clip_run(root: Path, model: str, flips: float, key: str = "1", modified: int = 1) -> RunResult:
    """One clip of two frames a perturbation, which flips."""
    protocol = {"_target_": IMAGENET_P, "root": "nowhere", "n_expected": 1}
    split_scores = {"flip_probability": score(flips), "top5_distance": score(2.5)}
    result = replace(
        run_result(model, "imagenet_p", key=key),
        splits=dict.fromkeys(PERTURBATIONS, counts(1)),
        scores={"": {}, **dict.fromkeys(PERTURBATIONS, split_scores)},
        config={"benchmark": {"protocol": protocol}, "attack": {"name": "none"}},
    )
    folder = store(result, root, modified)
    for name in PERTURBATIONS:
        columns = {
            "image": [f"{name}/n01/a.mp4"] * 2,
            "split": [name] * 2,
            "frame": [0, 1],
            "prediction": [1, 2],
            "top5": [[1, 10, 11, 12, 13], [2, 10, 11, 12, 13]],
        }
        store_records(folder, name, columns)
    return result


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run whose flip probability is 1, and one of AlexNet's of which it is said to be 0.5."""
    clip_run(tmp_path, "m", 1.0)
    clip_run(tmp_path, "alexnet", 0.5)
    return tmp_path


def mfr(root: Path, normaliser: Path | None = None) -> Score:
    results = read_results(root).results
    (run,) = (result for result in results if result.model == "m")
    return derive(results, normaliser)[run.directory]["mfr"]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on records cannot be read."""

    def read(*_: Any, **__: Any) -> Any:
        raise RecordsAreRead

    return lambda: monkeypatch.setattr(derived, "read_split", read)


def is_read_again(root: Path, normaliser: Path | None = None) -> bool:
    try:
        mfr(root, normaliser)
    except RecordsAreRead:
        return True
    return False


def normaliser_file(root: Path, flips: float) -> Path:
    rows = [f"{name},{flips},2.5" for name in PERTURBATIONS]
    path = root / "alexnet.csv"
    path.write_text("\n".join(["perturbation,flip_probability,top5_distance", *rows]) + "\n")
    return path


def test_records_are_read_once(root: Path, refuse: Callable[[], None]) -> None:
    first = mfr(root)
    assert first.value == pytest.approx(200.0)
    refuse()
    assert mfr(root) == first
    assert not is_read_again(root)


def test_a_newer_second_run_counts(root: Path, refuse: Callable[[], None]) -> None:
    mfr(root)
    clip_run(root, "alexnet", 0.25, key="2", modified=2)
    assert mfr(root).value == pytest.approx(400.0)
    clip_run(root, "alexnet", 0.25, key="3", modified=3)
    refuse()
    assert is_read_again(root)


def test_another_result_of_either_run_counts(root: Path, refuse: Callable[[], None]) -> None:
    mfr(root)
    clip_run(root, "alexnet", 0.25)
    assert mfr(root).value == pytest.approx(400.0)
    clip_run(root, "m", 0.75)
    refuse()
    assert is_read_again(root)


def test_a_rescored_run_is_derived_again(root: Path, refuse: Callable[[], None]) -> None:
    mfr(root)
    (run,) = (result for result in read_results(root).results if result.model == "m")
    rescore(run)
    assert not (run.directory / "derived.json").exists()
    refuse()
    assert is_read_again(root)


def test_another_normaliser_counts(root: Path, refuse: Callable[[], None]) -> None:
    assert mfr(root, normaliser_file(root, 0.8)).value == pytest.approx(125.0)
    assert mfr(root, normaliser_file(root, 0.4)).value == pytest.approx(250.0)
    refuse()
    assert not is_read_again(root, normaliser_file(root, 0.4))
    assert is_read_again(root)


def test_a_file_with_a_flipped_bit_is_made_again(root: Path) -> None:
    expected = mfr(root)
    (kept,) = (root / "runs" / "imagenet_p" / "m").glob("*/derived.json")
    sound = kept.read_text()
    kept.write_text(sound.replace('"value": 200.0', '"value": 300.0'))
    assert kept.read_text() != sound
    assert mfr(root) == expected
    assert kept.read_text() == sound


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rests_on": {}, "scores": {}}', "{\x00"])
def test_a_damaged_file_is_made_again(root: Path, text: str) -> None:
    expected = mfr(root)
    (kept,) = (root / "runs" / "imagenet_p" / "m").glob("*/derived.json")
    sound = kept.read_text()
    kept.write_text(text)
    assert mfr(root) == expected
    assert kept.read_text() == sound


def test_scores_of_another_kind_are_made_again(root: Path) -> None:
    expected = mfr(root)
    (kept,) = (root / "runs" / "imagenet_p" / "m").glob("*/derived.json")
    content = json.loads(kept.read_text())
    kept.write_text(json.dumps({**content, "scores": {"mfr": {"value": 1}}}))
    assert mfr(root) == expected


def test_a_folder_that_cannot_be_written_is_no_error(root: Path) -> None:
    (root / "runs" / "imagenet_p" / "m" / "1" / "derived.json").mkdir(parents=True)
    assert mfr(root).value == pytest.approx(200.0)
    assert mfr(root).value == pytest.approx(200.0)


def test_an_undefined_score_is_kept(root: Path, refuse: Callable[[], None]) -> None:
    def of_too_few() -> Path:
        file = normaliser_file(root, 0.5)
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
        return file

    first = mfr(root, of_too_few())
    assert "no normaliser for" in first.note
    refuse()
    again = mfr(root, of_too_few())
    assert repr(again) == repr(first)


def test_a_class_that_is_not_oodbench_s_own_is_never_imported(root: Path) -> None:
    (run,) = (result for result in read_results(root).results if result.model == "m")
    run.config["benchmark"]["protocol"]["_target_"] = "this.Module.must.not.be.imported"
    store(run, root)
    found = derive(read_results(root).results, None)
    assert run.directory not in found
