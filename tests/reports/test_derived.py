from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from published_names import PERTURBATIONS
from run_factory import run_result, score, store_records

from oodbench.benchmarks.normaliser import read_normaliser
from oodbench.core.errors import DataError
from oodbench.core.shipped import shipped_benchmark
from oodbench.metrics.attack_traits import AttackTraits
from oodbench.metrics.score import Score
from oodbench.reference import read_table
from oodbench.reports.derived import derive
from oodbench.runs.records import chunk_path
from oodbench.runs.results import RunResult, read_failure

ALEXNET = {
    row["corruption"]: float(row["value"])
    for row in read_table("corruption_reference.csv")
    if (row["set"], row["quantity"]) == ("test", "alexnet_mean_error")
}


def split_of(n: int) -> dict[str, Any]:
    return {"n_items": n, "n": n, "n_expected": n, "skipped": []}


def config_of(benchmark: str, **arguments: Any) -> dict[str, Any]:
    node = shipped_benchmark(benchmark)
    assert node is not None
    protocol = {"_target_": node["protocol"]["_target_"], **arguments}
    return {"benchmark": {"protocol": protocol}, "attack": {"name": "none"}}


def run_of(
    root: Path, benchmark: str, splits: dict[str, int], *, key: str = "1", **changed: Any
) -> RunResult:
    changed.setdefault("config", config_of(benchmark))
    return run_result(
        changed.pop("model", "m"),
        benchmark,
        splits={name: split_of(n) for name, n in splits.items()},
        key=key,
        directory=root / benchmark / key,
        **changed,
    )


def clean_run(
    root: Path, predictions: dict[str, int], *, key: str = "1", **changed: Any
) -> RunResult:
    """An ImageNet run; label 0, a prediction for each picture."""
    run = run_of(root, "imagenet", {"": len(predictions)}, key=key, **changed)
    store_records(
        run.directory,
        "",
        {
            "image": [f"n01/{name}.JPEG" for name in predictions],
            "label": [0] * len(predictions),
            "prediction": list(predictions.values()),
        },
    )
    return run


def corrupted_run(root: Path, corruptions: list[str], **changed: Any) -> RunResult:
    """Picture a is wrong from severity 3 on, b at 5: a mean error of (3/5 + 1/5) / 2 = 0.4."""
    cells = [(name, severity) for name in corruptions for severity in range(1, 6)]
    run = run_of(root, "imagenet_c", {f"{c}/{s}": 2 for c, s in cells}, **changed)
    for name, severity in cells:
        columns = {
            "image": [f"noise/{name}/{severity}/n01/{picture}.JPEG" for picture in "ab"],
            "label": [0, 0],
            "prediction": [int(severity >= 3), int(severity == 5)],
        }
        store_records(run.directory, f"{name}/{severity}", columns)
    return run


def relative(results: list[RunResult]) -> Score:
    found = derive(results, None)
    assert list(found) == [results[0].directory]
    return found[results[0].directory]["relative_mce"]


def by_hand(clean_error: float) -> float:
    total = 0.0
    for error in ALEXNET.values():
        total += (5 * 0.4 - 5 * clean_error) / (5 * error - 5 * 0.43478)
    return 100 * total / 15


def test_relative_mce(tmp_path: Path) -> None:
    corrupted = corrupted_run(tmp_path, list(ALEXNET))
    clean = clean_run(tmp_path, {"a": 0, "b": 1})
    found = relative([corrupted, clean])
    assert found.value == pytest.approx(by_hand(0.5))
    assert (found.n, found.unit, found.note) == (2, "percent", "")


def test_relative_mce_takes_the_run_without_difference_then_the_newest(tmp_path: Path) -> None:
    corrupted = corrupted_run(tmp_path, list(ALEXNET))
    good, bad = {"a": 0, "b": 0}, {"a": 1, "b": 1}
    others = [
        clean_run(tmp_path, bad, key="2", modified=1.0),
        clean_run(tmp_path, good, key="3", modified=2.0),
        clean_run(tmp_path, bad, key="4", modified=3.0, difference=["preprocessing=timm"]),
        clean_run(tmp_path, bad, key="5", modified=4.0, status="partial"),
        clean_run(tmp_path, bad, key="6", modified=4.0, weights="sha256:2"),
        clean_run(tmp_path, bad, key="7", modified=4.0, model="other"),
        clean_run(tmp_path, bad, key="8", modified=4.0, attack_traits=AttackTraits()),
        clean_run(tmp_path, bad, key="9", modified=4.0, demo=True),
    ]
    assert relative([corrupted, *others]).value == pytest.approx(by_hand(0.0))


def test_no_relative_mce_without_a_second_run_or_known_weights(tmp_path: Path) -> None:
    corrupted = corrupted_run(tmp_path, list(ALEXNET), weights=None)
    clean = clean_run(tmp_path, {"a": 0, "b": 0}, weights=None)
    assert derive([corrupted], None) == {}
    assert derive([corrupted, clean], None) == {}


def test_partial_runs_of_the_same_pictures(tmp_path: Path) -> None:
    corrupted = corrupted_run(tmp_path, list(ALEXNET), status="partial")
    same = clean_run(tmp_path, {"b": 0, "a": 0}, key="2", status="partial", modified=1.0)
    other = clean_run(tmp_path, {"a": 1, "c": 1}, key="3", status="partial", modified=2.0)
    found = relative([corrupted, same, other])
    assert found.value == pytest.approx(by_hand(0.0))
    assert found.note == "partial: both runs show the same pictures"


def test_a_part_of_the_corrupted_pictures_beside_a_whole_clean_run(tmp_path: Path) -> None:
    """Only the clean pictures that were corrupted too count: a and b, half of them wrong."""
    corrupted = corrupted_run(tmp_path, list(ALEXNET), status="partial")
    clean = clean_run(tmp_path, {"a": 0, "b": 1, "c": 1, "d": 1})
    found = relative([corrupted, clean])
    assert found.value == pytest.approx(by_hand(0.5))
    assert "partial" in found.note


def test_partial_runs_of_other_pictures(tmp_path: Path) -> None:
    corrupted = corrupted_run(tmp_path, list(ALEXNET), status="partial")
    other = clean_run(tmp_path, {"a": 0, "c": 0})
    found = relative([corrupted, other])
    assert isnan(found.value)
    assert "other pictures" in found.note


def test_missing_corruptions_give_no_number(tmp_path: Path) -> None:
    corrupted = corrupted_run(tmp_path, list(ALEXNET)[:-1], status="partial")
    found = relative([corrupted, clean_run(tmp_path, {"a": 0, "b": 0})])
    assert isnan(found.value)
    assert "5 of the 75 test cells" in found.note


def clip_run(root: Path, perturbations: list[str], clips: str = "ab", **changed: Any) -> RunResult:
    """Two clips of three frames, predictions 1 1 2 and 1 2 1.

    Against the first frame (noises) half of the frames flip in both clips, against the one before
    half and all: flip probabilities 0.5 and 0.75. A flip replaces the best of five classes, which
    costs |1 - 6| = 5: distances 2.5 and 3.75.
    """
    run = run_of(root, "imagenet_p", dict.fromkeys(perturbations, 2), **changed)
    predictions = [1, 1, 2, 1, 2, 1]
    for name in perturbations:
        columns = {
            "image": [f"{name}/n01/{clip}.mp4" for clip in clips for _ in range(3)],
            "split": [name] * 6,
            "frame": [0, 1, 2] * 2,
            "prediction": predictions,
            "top5": [[p, 10, 11, 12, 13] for p in predictions],
        }
        store_records(run.directory, name, columns)
    return run


def normaliser_file(root: Path, perturbations: list[str]) -> Path:
    path = root / "alexnet.csv"
    rows = [f"{name},0.5,5.0" for name in perturbations]
    path.write_text("\n".join(["perturbation,flip_probability,top5_distance", *rows]) + "\n")
    return path


def test_mfr_from_a_file(tmp_path: Path) -> None:
    run = clip_run(tmp_path, PERTURBATIONS)
    scores = derive([run], normaliser_file(tmp_path, PERTURBATIONS))[run.directory]
    # Two noises at 0.5 / 0.5, eight others at 0.75 / 0.5; 2.5 / 5 and 3.75 / 5.
    assert scores["mfr"].value == pytest.approx((2 * 100 + 8 * 150) / 10)
    assert scores["mt5d"].value == pytest.approx((2 * 50 + 8 * 75) / 10)
    assert (scores["mfr"].unit, scores["mfr"].n, scores["mfr"].note) == ("percent", 2, "")


def alexnet_run(root: Path, **changed: Any) -> RunResult:
    scores = {"flip_probability": score(0.25), "top5_distance": score(2.5)}
    run = clip_run(root, PERTURBATIONS, model="alexnet", key="a", **changed)
    return replace(run, scores=dict.fromkeys(PERTURBATIONS, scores))


def test_mfr_from_a_run_of_alexnet(tmp_path: Path) -> None:
    run = clip_run(tmp_path, PERTURBATIONS)
    scores = derive([run, alexnet_run(tmp_path)], None)[run.directory]
    assert scores["mfr"].value == pytest.approx(2 * (2 * 100 + 8 * 150) / 10)
    assert scores["mt5d"].value == pytest.approx(2 * (2 * 50 + 8 * 75) / 10)


def test_mfr_of_generated_clips_needs_alexnet_on_the_same_ones(tmp_path: Path) -> None:
    def generated(run: RunResult, seed: int, fingerprint: str = "f") -> RunResult:
        name = "imagenet_p_generated"
        config = config_of(name, seed=seed)
        return replace(
            run, benchmark=name, config=config, dataset_fingerprint=fingerprint, official=False
        )

    run, alexnet = clip_run(tmp_path, PERTURBATIONS), alexnet_run(tmp_path)
    ours = generated(run, 0)
    scores = derive([ours, generated(alexnet, 0)], None)[run.directory]
    assert scores["mfr"].value == pytest.approx(2 * (2 * 100 + 8 * 150) / 10)
    for other in (generated(alexnet, 1), generated(alexnet, 0, "g"), alexnet):
        assert run.directory not in derive([ours, other], None)
        assert derive([ours], normaliser_file(tmp_path, PERTURBATIONS)) == {}


def test_relative_mce_of_generated_pictures(tmp_path: Path) -> None:
    corrupted = replace(corrupted_run(tmp_path, list(ALEXNET)), benchmark="imagenet_c_generated")
    clean = clean_run(tmp_path, {"a": 0, "b": 1})
    assert relative([corrupted, clean]).value == pytest.approx(by_hand(0.5))


def test_no_mfr_without_a_normaliser(tmp_path: Path) -> None:
    run = clip_run(tmp_path, PERTURBATIONS)
    assert derive([run], None) == {}
    partial = alexnet_run(tmp_path, status="partial")
    assert run.directory not in derive([run, partial], None)


@pytest.mark.parametrize(("clips", "same"), [("ab", True), ("ba", True), ("ac", False)])
def test_partial_mfr_needs_the_same_clips(tmp_path: Path, clips: str, same: bool) -> None:
    run = clip_run(tmp_path, PERTURBATIONS, status="partial")
    alexnet = alexnet_run(tmp_path, clips=clips, status="partial")
    scores = derive([run, alexnet], None)[run.directory]
    assert isnan(scores["mfr"].value) is not same
    assert ("same pictures" in scores["mfr"].note) is same


def test_partial_mfr_from_a_file_says_what_it_trusts(tmp_path: Path) -> None:
    run = clip_run(tmp_path, PERTURBATIONS, status="partial")
    scores = derive([run], normaliser_file(tmp_path, PERTURBATIONS))[run.directory]
    assert scores["mfr"].note == "partial: the normaliser is taken to rest on the same clips"


def test_missing_perturbations_give_no_number(tmp_path: Path) -> None:
    run = clip_run(tmp_path, PERTURBATIONS[1:], status="partial")
    scores = derive([run], normaliser_file(tmp_path, PERTURBATIONS))[run.directory]
    assert isnan(scores["mfr"].value)
    assert "perturbations missing: gaussian_noise" in scores["mfr"].note


def test_other_benchmarks_and_attacked_runs_have_none(tmp_path: Path) -> None:
    file = normaliser_file(tmp_path, PERTURBATIONS)
    attacked = clip_run(tmp_path, PERTURBATIONS, attack_traits=AttackTraits())
    assert derive([clean_run(tmp_path, {"a": 0}), attacked], file) == {}


def test_normaliser_file_is_read(tmp_path: Path) -> None:
    read = read_normaliser(normaliser_file(tmp_path, ["snow"]))
    assert read == {"snow": {"flip_probability": 0.5, "top5_distance": 5.0}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "perturbation,flip_probability\nsnow,0.1\n",
        "a,b\n1,2,3,4\n5\n1,2,3,4,5,6\n",
        "perturbation,flip_probability,top5_distance\nsnow,much,1\n",
    ],
)
def test_damaged_normaliser_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "alexnet.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"alexnet\.csv: no normaliser .* needs the columns") as e:
        read_normaliser(path)
    assert "\n" not in str(e.value)


def test_missing_normaliser_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        derive([], tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("flip_probability", "0"),
        ("flip_probability", "-0.1"),
        ("flip_probability", ""),
        ("top5_distance", "inf"),
        ("top5_distance", "nan"),
        ("top5_distance", "0.0"),
    ],
)
def test_a_normaliser_that_nothing_can_be_divided_by_is_refused(
    tmp_path: Path, column: str, value: str
) -> None:
    """mT5D would be 0.0 with inf."""
    path = tmp_path / "alexnet.csv"
    cells = {"perturbation": "snow", "flip_probability": "0.1", "top5_distance": "2.5"}
    cells[column] = value
    path.write_text(f"{','.join(cells)}\n{','.join(cells.values())}\n")
    with pytest.raises(DataError, match=rf"alexnet\.csv: {column} of snow is .*above 0; measure"):
        read_normaliser(path)


def test_a_normaliser_with_two_rows_of_a_perturbation_is_refused(tmp_path: Path) -> None:
    path = normaliser_file(tmp_path, ["snow", "snow"])
    with pytest.raises(DataError, match=r"alexnet\.csv: snow has two rows: remove one of them"):
        read_normaliser(path)


def test_damaged_records_leave_the_others_derived(tmp_path: Path) -> None:
    sound, damaged = clip_run(tmp_path, PERTURBATIONS), clip_run(tmp_path, PERTURBATIONS, key="2")
    chunk = chunk_path(damaged.paths.records, PERTURBATIONS[0], 0)
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(bytes(content))
    file = normaliser_file(tmp_path, PERTURBATIONS)
    problems: list[str] = []
    found = derive([sound, damaged], file, problems=problems)
    assert list(found) == [sound.directory]
    (problem,) = problems
    assert problem.startswith(f"{chunk}: damaged (")
    failed = read_failure(damaged.paths.error)
    assert failed is not None
    assert failed.error == problem
    with pytest.raises(DataError, match="damaged"):
        derive([sound, damaged], file)
