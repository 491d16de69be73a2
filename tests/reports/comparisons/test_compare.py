"""Runs that are stored by hand are paired, and the numbers are those of pandas and of a pencil."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from run_factory import run_result, score, store, store_records
from scipy import stats

from oodbench.cli.compare import main
from oodbench.core.errors import ConfigError, DataError
from oodbench.metrics.score import Score
from oodbench.reports.comparisons.compare import Compared, compare_runs
from oodbench.reports.comparisons.words import cell_of

IMAGES = [f"n01440764/{number:03d}.JPEG" for number in range(10)]


def stored(
    root: Path,
    model: str,
    prediction: list[int],
    key: str,
    *,
    columns: dict[str, list[Any]] | None = None,
    images: list[str] = IMAGES,
    scores: dict[str, Score] | None = None,
    **changed: Any,
) -> Path:
    """A run of one split whose pictures are all of class 0."""
    n = len(prediction)
    counts = {"n_items": n, "n": n, "n_expected": n, "skipped": []}
    result = run_result(model, key=key, splits={"": counts}, n_images=n, scores=scores, **changed)
    folder = store(result, root)
    frame = {
        "image": images[:n],
        "split": [""] * n,
        "frame": [0] * n,
        "label": [0] * n,
        "prediction": prediction,
    }
    store_records(folder, "", {**frame, **(columns or {})})
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two models: of ten pictures one gets six right, the other three of these and two others."""
    stored(tmp_path, "alpha", [0, 0, 0, 0, 0, 0, 5, 5, 5, 5], "a" * 12)
    stored(tmp_path, "beta", [0, 0, 0, 1, 1, 1, 0, 0, 5, 5], "b" * 12)
    return tmp_path


def test_counts_by_hand(root: Path) -> None:
    (one,) = compare_runs("alpha", "beta", root).comparisons
    found = one.found
    assert (found.only_first, found.only_second, found.n) == (3, 2, 10)
    assert found.value == pytest.approx(-0.1)
    assert one.accuracies == (0.6, 0.5)
    assert found.p_value == 1.0  # 3 to 2: 2 * (1 + 5 + 10) / 32 = 1
    assert one.flips["image"].tolist() == IMAGES[3:8]
    assert one.flips["gained"].tolist() == [False, False, False, True, True]
    assert one.flips["second"].tolist() == [1, 1, 1, 0, 0]


def test_order_of_the_rows_does_not_matter(root: Path) -> None:
    stored(root, "gamma", [5, 5, 0, 0, 1, 1, 1, 0, 0, 0], "c" * 12, images=IMAGES[::-1])
    (one,) = compare_runs("beta", "gamma", root).comparisons
    assert one.flips.empty
    assert one.found.p_value == 1.0


def test_pictures_of_one_run_alone_are_left_out_and_counted(root: Path) -> None:
    stored(root, "gamma", [0] * 5, "c" * 12, images=IMAGES[5:])
    (one,) = compare_runs("alpha", "gamma", root).comparisons
    assert one.n_unpaired == 5
    assert one.found.n == 5
    assert one.accuracies == (0.2, 1.0)


def test_no_picture_in_common_is_said(root: Path) -> None:
    stored(root, "gamma", [0, 0], "c" * 12, images=["x/1.png", "x/2.png"])
    compared = compare_runs("alpha", "gamma", root)
    assert not compared.comparisons
    assert "have no picture in common" in compared.problems[0]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"prediction_200way": [0] * 9 + [1]}, 0.9),
        ({"attack_succeeded": [True] * 5 + [False] * 5}, 0.1),
        ({"decision_max": [0] * 2 + [3] * 8}, 0.2),
    ],
)
def test_each_benchmark_by_its_own_rule(
    root: Path, columns: dict[str, list[Any]], expected: float
) -> None:
    stored(root, "gamma", [0, 0, 0, 0, 0, 0, 5, 5, 5, 5], "c" * 12, columns=columns)
    (one,) = compare_runs("alpha", "gamma", root).comparisons
    assert one.accuracies[1] == pytest.approx(expected)


def test_pictures_that_are_shown_several_times_count_once(tmp_path: Path) -> None:
    """As an independent count: shares by picture with pandas, and scipy's paired t-test."""
    generator = np.random.default_rng(0)
    tables = {}
    for model, level in (("alpha", 0.5), ("beta", 0.7)):
        counts = {"n_items": 40, "n": 40, "n_expected": 40, "skipped": []}
        splits = {f"fog/{severity}": counts for severity in (1, 2, 3)}
        folder = store(
            run_result(model, "imagenet_c", key=model.ljust(12, "0"), splits=splits), tmp_path
        )
        parts = []
        for split in splits:
            prediction = np.where(generator.random(40) < level, 0, 9)
            images = [f"{split}/n01440764/{number}.JPEG" for number in range(40)]
            columns: dict[str, list[Any]] = {
                "image": images,
                "split": [split] * 40,
                "frame": [0] * 40,
                "label": [0] * 40,
                "prediction": prediction.tolist(),
            }
            store_records(folder, split, columns)
            parts.append(pd.DataFrame({"picture": range(40), "right": prediction == 0}))
        tables[model] = pd.concat(parts).groupby("picture")["right"].mean()
    (one,) = compare_runs("alpha", "beta", tmp_path).comparisons
    change = tables["beta"] - tables["alpha"]
    assert one.found.n == 40
    assert one.found.value == pytest.approx(change.mean())
    assert one.found.p_value == pytest.approx(
        stats.ttest_rel(tables["beta"], tables["alpha"]).pvalue
    )
    assert one.found.only_second == (change > 0).sum()
    assert one.found.low < change.mean() < one.found.high


def keys(compared: Compared) -> list[tuple[str, str]]:
    return [(one.first.key[0], one.second.key[0]) for one in compared.comparisons]


def test_runs_are_paired_that_agree_in_what_is_left_open(root: Path) -> None:
    other = {"preprocessing": "timm", "difference": ["preprocessing=timm"]}
    stored(root, "alpha", [0] * 10, "c" * 12, **other)
    stored(root, "beta", [0] * 10, "d" * 12, **other)
    stored(root, "beta", [0] * 10, "e" * 12, benchmark="imagenet_a", **other)
    assert keys(compare_runs("alpha", "beta", root)) == [("a", "b"), ("c", "d")]
    by_pipeline = compare_runs("preprocessing=published", "preprocessing=timm", root)
    assert keys(by_pipeline) == [("a", "c"), ("b", "d")]
    assert keys(compare_runs("model=alpha,preprocessing=timm", "b" * 12, root)) == [("c", "b")]
    assert keys(compare_runs("*", "*", root, "imagenet_*")) == [("e", "e")]


def test_two_folders_of_outputs(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    after = tmp_path_factory.mktemp("after")
    stored(after, "alpha", [0] * 7 + [5] * 3, "f" * 12)
    assert keys(compare_runs(str(root), str(after), Path("nowhere"))) == [("a", "f")]
    folder = root / "runs" / "imagenet" / "beta" / ("b" * 12)
    assert keys(compare_runs(str(folder), "alpha", root)) == [("b", "a")]


def test_p_values_are_adjusted_for_all_comparisons(tmp_path: Path) -> None:
    images = [f"n01440764/{number}.JPEG" for number in range(20)]
    for number, benchmark in enumerate(["imagenet", "imagenet_a", "imagenet_sketch"]):
        keys_of = (f"{number}" * 12, f"{number + 5}" * 12)
        stored(tmp_path, "alpha", [0] * 20, keys_of[0], benchmark=benchmark, images=images)
        wrong = [0] * (12 + number) + [1] * (8 - number)
        stored(tmp_path, "beta", wrong, keys_of[1], benchmark=benchmark, images=images)
    found = compare_runs("alpha", "beta", tmp_path).comparisons
    alone = [2 / 2**8, 2 / 2**7, 2 / 2**6]
    assert [one.found.p_value for one in found] == pytest.approx(alone)
    assert [one.adjusted for one in found] == pytest.approx([3 / 2**7, 4 / 2**7, 4 / 2**7])


def test_what_the_command_prints(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alpha", "beta", "--outputs", str(root), "--flips", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    counted = ["-10.0", "[-50.0,", "+30.0]", "1.00", "1.00", "3", "2", "10"]
    assert lines[1].split() == ["imagenet", "alpha", "beta", "60.0", "50.0", *counted]
    assert lines[-4:] == [
        "imagenet: A alpha, B beta",
        "  top1: A 0.5, B 0.5",
        "  B loses pictures of: tench 1",
        "  n01440764/003.JPEG: tench: A tench, B goldfish",
    ]
    assert max(map(len, lines)) <= 110


def test_json_names_every_flip(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alpha", "beta", "--outputs", str(root), "--json", "-"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert one["first"]["model"] == "alpha"
    assert one["p_value_holm"] == 1
    assert len(one["flips"]) == 5
    assert one["flips"][0] == {
        "split": "",
        "image": IMAGES[3],
        "frame": 0,
        "label": "tench",
        "first": "tench",
        "second": "goldfish",
        "confidence_first": None,
        "confidence_second": None,
        "gained": False,
    }


def test_one_run_under_two_names_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alpha", "a" * 12, "--outputs", str(root)]) == 0
    assert f"both are the run {'a' * 12}: they do the same" in capsys.readouterr().out


def test_partial_and_demo_runs_are_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(root, "gamma", [0] * 10, "c" * 12, demo=True)
    stored(root, "delta", [0] * 10, "d" * 12, status="partial", n_expected=50000)
    assert main(["gamma", "delta", "--outputs", str(root)]) == 0
    said = capsys.readouterr().out
    assert "A is demo data" in said
    assert "B is partial: 10 of 50000" in said


def test_damaged_records_are_named_and_the_others_compared(root: Path) -> None:
    stored(root, "beta", [0] * 10, "e" * 12, benchmark="imagenet_a")
    stored(root, "alpha", [0] * 10, "d" * 12, benchmark="imagenet_a")
    (chunk,) = (root / "runs" / "imagenet" / "beta").rglob("*.parquet")
    chunk.write_bytes(chunk.read_bytes()[:-9])
    compared = compare_runs("alpha", "beta", root)
    assert [one.first.benchmark for one in compared.comparisons] == ["imagenet_a"]
    assert str(chunk) in compared.problems[0]


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("nothing", "beta"), ConfigError, "nothing: no finished run below .* models: alpha, beta"),
        (("alpha", "prepro=x"), ConfigError, "prepro is none of model, benchmark"),
        (("alpha", "model=beta,benchmark=other"), ConfigError, "no finished run"),
    ],
)
def test_words_that_name_nothing(
    root: Path, words: tuple[str, str], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        compare_runs(*words, root)


def test_runs_without_a_partner(root: Path) -> None:
    stored(root, "gamma", [0] * 10, "c" * 12, benchmark="imagenet_a")
    with pytest.raises(DataError, match="no two runs on the same benchmark"):
        compare_runs("alpha", "gamma", root)


def test_no_runs_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["a", "b", "--outputs", str(tmp_path)]) == 1
    assert "no finished run below" in capsys.readouterr().err


def test_names_stay_text(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"n01440764/a\n{number}\x1b[31m.JPEG" for number in range(10)]
    stored(root, "one", [0] * 10, "c" * 12, images=names)
    stored(root, "two", [1] * 10, "d" * 12, images=names, scores={"top1": score(0.0)})
    assert main(["one", "two", "--outputs", str(root), "--flips", "2"]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "a\n0" not in said


def test_the_attack_of_a_benchmark_is_not_said(root: Path) -> None:
    for model, key in (("alpha", "c" * 12), ("beta", "d" * 12)):
        stored(root, model, [0] * 10, key, benchmark="adversarial", attack="pgd_targeted")
    (one,) = compare_runs("alpha", "beta", root, "adversarial").comparisons
    assert cell_of([one.first, one.second]) == "adversarial"
    other = run_result("alpha", attack="square", difference=["attack=square"])
    assert cell_of([other]) == "alpha × imagenet (attack=square)"
