"""Which pictures are listed, by hand-made records and by pandas alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from run_factory import run_result, store, store_records

from oodbench.core.errors import ConfigError
from oodbench.reports.mistakes.find import Mistakes, Wanted, check_class, flips, mistakes

IMAGES = [f"n01440764/{number}.JPEG" for number in range(6)]


def stored(
    root: Path,
    model: str = "mynet",
    key: str = "a" * 12,
    *,
    splits: dict[str, dict[str, list[Any]]],
    **changed: Any,
) -> Path:
    """A run with these columns for each split; all labels are 0 where none are given."""
    counts = {}
    for name, columns in splits.items():
        n = len(set(columns["image"]))
        counts[name] = {"n_items": n, "n": n, "n_expected": n, "skipped": []}
    folder = store(run_result(model, key=key, splits=counts, **changed), root)
    for name, columns in splits.items():
        n = len(columns["image"])
        usual = {"split": [name] * n, "frame": [0] * n, "label": [0] * n}
        store_records(folder, name, {**usual, **columns})
    return folder


def found(root: Path, word: str | None = None, **wanted: Any) -> list[Mistakes]:
    problems: list[str] = []
    listed = mistakes(word, root, Wanted(**wanted), problems)
    assert problems == []
    return listed


def test_the_most_confident_mistakes_come_first(tmp_path: Path) -> None:
    confidence = [0.9, 0.2, 0.8, 0.3, 0.8, 0.7]
    prediction = [0, 1, 2, 0, 4, 5]
    columns = {"image": IMAGES, "prediction": prediction, "confidence": confidence}
    stored(tmp_path, splits={"": columns})
    (one,) = found(tmp_path)
    assert one.rows["image"].tolist() == [IMAGES[number] for number in (2, 4, 5, 1)]
    assert one.rows["first"].tolist() == [2, 4, 5, 1]
    assert (one.n_found, one.n_scored) == (4, 6)
    assert one.name(1) == "goldfish"
    (few,) = found(tmp_path, top=2)
    assert few.rows["image"].tolist() == [IMAGES[2], IMAGES[4]]
    assert few.n_found == 4


def test_splits_are_one_list_as_pandas_sorts_it(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    splits = {}
    for name in ("fog/1", "fog/2", "snow/1"):
        splits[name] = {
            "image": [f"{name}/n/{number}.JPEG" for number in range(40)],
            "label": generator.integers(0, 3, 40).tolist(),
            "prediction": generator.integers(0, 3, 40).tolist(),
            "confidence": generator.permutation(120)[:40].tolist(),
        }
    stored(tmp_path, splits=splits, benchmark="imagenet_c")
    whole = pd.concat([pd.DataFrame(columns).assign(split=n) for n, columns in splits.items()])
    wrong = whole[whole["prediction"] != whole["label"]]
    for top in (5, 1000):
        expected = wrong.sort_values("confidence", ascending=False, kind="stable").head(top)
        (one,) = found(tmp_path, top=top)
        assert one.rows["confidence_first"].tolist() == expected["confidence"].tolist()
        assert one.n_found == len(wrong)
    (one,) = found(tmp_path, top=1000, class_name="great white shark")
    assert one.n_found == len(wrong[wrong["label"] == 2])
    assert one.n_scored == int((whole["label"] == 2).sum())


@pytest.mark.parametrize(
    ("columns", "wrong"),
    [
        ({"prediction_200way": [0, 0, 7, 7, 7, 7], "confidence_200way": [0.5] * 6}, [2, 3, 4, 5]),
        ({"attack_succeeded": [False, True] + [False] * 4, "confidence": [0.5] * 6}, [1]),
        ({"decision_max": [0, 0, 0, 0, 0, 3]}, [5]),
    ],
)
def test_wrong_is_what_the_headline_counts(
    tmp_path: Path, columns: dict[str, list[Any]], wrong: list[int]
) -> None:
    stored(tmp_path, splits={"": {"image": IMAGES, "prediction": [0] * 6, **columns}})
    (one,) = found(tmp_path)
    assert one.rows["image"].tolist() == [IMAGES[number] for number in wrong]
    with_confidence = any(name.startswith("confidence") for name in columns)
    assert one.rows["confidence_first"].notna().all() == with_confidence


def test_nothing_wrong_and_everything_wrong(tmp_path: Path) -> None:
    stored(tmp_path, "right", "a" * 12, splits={"": {"image": IMAGES, "prediction": [0] * 6}})
    stored(tmp_path, "wrong", "b" * 12, splits={"": {"image": IMAGES, "prediction": [1] * 6}})
    right, wrong = found(tmp_path)
    assert (len(right.rows), right.n_found, right.n_scored) == (0, 0, 6)
    assert wrong.rows["image"].tolist() == IMAGES
    assert [one.runs[0].model for one in found(tmp_path, models="wr*")] == ["wrong"]
    assert [one.runs[0].model for one in found(tmp_path, "right")] == ["right"]
    assert found(tmp_path, benchmarks="imagenet_a") == []


def test_of_a_clip_one_frame_is_listed(tmp_path: Path) -> None:
    columns = {
        "image": ["a.mp4", "a.mp4", "b.mp4", "b.mp4"],
        "frame": [0, 1, 0, 1],
        "prediction": [1, 2, 0, 3],
        "confidence": [0.1, 0.9, 0.9, 0.5],
    }
    stored(tmp_path, splits={"": columns}, benchmark="imagenet_p")
    (one,) = found(tmp_path)
    assert one.rows[["image", "frame"]].to_numpy().tolist() == [["a.mp4", 1], ["b.mp4", 1]]
    assert one.n_found == 3


def test_flips_by_the_confidence_of_the_side_that_is_wrong(tmp_path: Path) -> None:
    first = {"prediction": [0, 0, 1, 0, 1, 1], "confidence": [0.9, 0.9, 0.6, 0.9, 0.9, 0.9]}
    second = {"prediction": [0, 2, 0, 3, 1, 0], "confidence": [0.5, 0.7, 0.1, 0.2, 0.5, 0.1]}
    stored(tmp_path, "a", "a" * 12, splits={"": {"image": IMAGES, **first}})
    stored(tmp_path, "b", "b" * 12, splits={"": {"image": IMAGES, **second}})
    (one,) = flips("a", "b", tmp_path, Wanted(), [])
    assert one.rows["image"].tolist() == [IMAGES[number] for number in (5, 1, 2, 3)]
    assert one.rows["gained"].tolist() == [True, False, True, False]
    assert (one.n_found, one.n_gained) == (4, 2)
    assert flips("a", "b", tmp_path, Wanted(models="c"), []) == []
    (one,) = flips("a", "a", tmp_path, Wanted(), [])
    assert one.rows.empty


@pytest.mark.parametrize("name", ["goldfish", "Goldfish", "n01443537", "1", "airplane"])
def test_a_class_by_its_names(name: str) -> None:
    check_class(name)


def test_an_unknown_class_is_refused_with_names_near_it() -> None:
    with pytest.raises(ConfigError, match="close names: .*goldfish"):
        check_class("goldfsh")


def test_labels_that_are_no_classes_are_left_out(tmp_path: Path) -> None:
    target = "oodbench.benchmarks.out_of_distribution.OutOfDistribution"
    config = {"benchmark": {"protocol": {"_target_": target}}}
    columns = {"image": IMAGES, "prediction": [0] * 6}
    stored(tmp_path, splits={"": columns}, config=config)
    problems: list[str] = []
    assert mistakes(None, tmp_path, Wanted(), problems) == []
    assert "its labels are no classes" in problems[0]


def test_damaged_records_are_named_and_the_others_listed(tmp_path: Path) -> None:
    columns = {"image": IMAGES, "prediction": [1] * 6}
    folder = stored(tmp_path, "a", "a" * 12, splits={"": columns})
    stored(tmp_path, "b", "b" * 12, splits={"": columns})
    (folder / "records" / "all-00000.parquet").write_bytes(b"PAR1")
    problems: list[str] = []
    assert [one.runs[0].model for one in mistakes(None, tmp_path, Wanted(), problems)] == ["b"]
    assert "damaged" in problems[0]
