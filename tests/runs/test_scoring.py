"""Scores from records alone: the same bytes again, skipped items counted."""

import gc
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from weakref import ref

import numpy as np
import pandas as pd
import pytest

from oodbench.core.building import build
from oodbench.core.errors import AttackError, DataError
from oodbench.runs.records import ChunkInfo, Skipped, chunk_path, write_chunk
from oodbench.runs.results import RunResult, read_result, write_result
from oodbench.runs.scoring import (
    Scored,
    rescore,
    score_records,
    skipped_items,
    split_counts,
    status_of,
)
from oodbench.runs.summaries.summary import Summary

PROTOCOL: dict[str, Any] = {
    "_target_": "oodbench.benchmarks.folder.FolderBenchmark",
    "root": "no/such/folder",
    "n_expected": 8,
    "scores": ["oodbench.metrics.accuracy.top1"],
}
LABELS = [0, 1, 2, 3, 4, 5]
PREDICTIONS = [0, 1, 9, 9, 9, 5]
BROKEN = Skipped("b/6.jpg", "cut short")


def chunk(
    records: Path,
    number: int,
    positions: list[int],
    skipped: tuple[Skipped, ...],
    split: str = "",
) -> None:
    """Rows of these positions; the fourth best class of the third picture is its label."""
    predictions = np.array([PREDICTIONS[k] for k in positions], dtype=np.int16)
    top5 = np.array([[PREDICTIONS[k], 700, 701, 2, 703] for k in positions], dtype=np.int16)
    columns = {
        "position": np.array(positions, dtype=np.int32),
        "image": np.array([f"a/{k}.jpg" for k in positions]),
        "label": np.array([LABELS[k] for k in positions], dtype=np.int16),
        "prediction": predictions,
        "top5": top5,
    }
    info = ChunkInfo(len(positions) + len(skipped), skipped, "eager", "cpu", 2)
    write_chunk(chunk_path(records, split, number), columns, info)


def test_a_run_whose_pictures_are_all_left_out_has_no_scores(tmp_path: Path) -> None:
    columns = {
        "position": np.array([0, 1], dtype=np.int32),
        "image": np.array(["a", "b"]),
        "label": np.array([2, 2], dtype=np.int16),
        "prediction": np.array([2, 3], dtype=np.int16),
        "left_out": np.array([True, True]),
    }
    write_chunk(chunk_path(tmp_path, "", 0), columns, ChunkInfo(2, (), "eager", "cpu", 2))
    with pytest.raises(AttackError, match=r"attack\.target is the label of all 2 pictures"):
        scored(tmp_path, 2)


def scored(records: Path, n_items: int) -> Scored:
    """What a clean run's records say of its first items."""
    return score_records(build(PROTOCOL, "protocol"), records, {"": n_items}, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six scored pictures in two chunks, and one that could not be read."""
    chunk(tmp_path / "records", 0, [0, 1, 2, 3], ())
    chunk(tmp_path / "records", 1, [4, 5], (BROKEN,))
    config = {"benchmark": {"protocol": PROTOCOL, "version": 1}}
    found = scored(tmp_path / "records", 7)
    splits = split_counts(tmp_path / "records", {"": 7}, {"": 8}, found.n_read)
    result = RunResult(
        key="k",
        model="m",
        benchmark="imagenet",
        preprocessing="published",
        attack="none",
        difference=[],
        status=status_of(splits, []),
        demo=False,
        extension=False,
        headline="top1",
        n_images=6,
        n_expected=8,
        splits=splits,
        missing_splits=[],
        notes=[],
        scores=found.scores,
        weights="w",
        precision="fp32",
        dataset_fingerprint="f",
        config=config,
        attack_traits=None,
    )
    write_result(tmp_path / "result.json", result)
    return tmp_path


def read(folder: Path) -> RunResult:
    result = read_result(folder / "result.json")
    assert result is not None
    return result


def test_scores_are_those_counted_by_hand(folder: Path) -> None:
    scores = read(folder).scores[""]
    assert scores["top1"].value == 3 / 6
    assert scores["top5"].value == 4 / 6
    assert scores["top1"].n == 6


def test_scoring_again_gives_the_same_bytes_without_data(folder: Path) -> None:
    before = (folder / "result.json").read_bytes()
    rescore(read(folder))
    assert (folder / "result.json").read_bytes() == before


def test_scoring_again_mends_the_scores_and_nothing_else(folder: Path) -> None:
    before = (folder / "result.json").read_bytes()
    content = json.loads(before)
    content["scores"] = {"": {}}
    del content["sha256"]
    (folder / "result.json").write_text(json.dumps(content))
    rescore(read(folder))
    assert (folder / "result.json").read_bytes() == before


def test_only_the_first_items_count(folder: Path) -> None:
    scores = scored(folder / "records", 3).scores
    assert scores[""]["top1"].value == 2 / 3
    assert scores[""]["top5"].value == 1.0


def test_a_split_without_items_has_no_scores(tmp_path: Path) -> None:
    assert scored(tmp_path, 0) == Scored({}, {"": 0}, 0, None, Summary(0))


def test_a_split_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"all-00000\.parquet: missing: run the same cell again"):
        scored(tmp_path, 3)


@pytest.mark.parametrize("number", [0, 1])
def test_a_result_without_one_of_its_chunks_stays_as_it_is(folder: Path, number: int) -> None:
    before = (folder / "result.json").read_bytes()
    chunk_path(folder / "records", "", number).unlink()
    with pytest.raises(DataError, match=f"all-0000{number}.parquet: missing"):
        rescore(read(folder))
    assert (folder / "result.json").read_bytes() == before


def test_a_result_that_counts_otherwise_than_its_records_stays_as_it_is(folder: Path) -> None:
    """Of an earlier version, with rows of other pictures than it says."""
    result = read(folder)
    result.splits[""]["n"] = 7
    with pytest.raises(DataError, match="counts 7 items, its records hold 6: run the same cell"):
        rescore(result)


def test_skipped_items_are_counted_and_listed(folder: Path) -> None:
    assert skipped_items(folder / "records", "") == [BROKEN]
    assert read(folder).splits == {
        "": {
            "n_items": 7,
            "n": 6,
            "n_expected": 8,
            "skipped": [{"image": "b/6.jpg", "reason": "cut short"}],
        }
    }
    assert read(folder).status == "partial"


def test_items_skipped_beyond_those_asked_for_do_not_count(tmp_path: Path) -> None:
    """Of six items the third and the fifth cannot be read; four are asked for."""
    missing = (Skipped("c.jpg", "cut short"), Skipped("e.jpg", "cut short"))
    chunk(tmp_path, 0, [0, 1, 3, 5], missing)
    counted = split_counts(tmp_path, {"": 4}, {"": 6}, scored(tmp_path, 4).n_read)[""]
    assert (counted["n_items"], counted["n"]) == (4, 3)
    assert [item["image"] for item in counted["skipped"]] == ["c.jpg"]


def test_a_chunk_of_skipped_items_alone(tmp_path: Path) -> None:
    write_chunk(chunk_path(tmp_path, "", 0), {}, ChunkInfo(1, (BROKEN,), "eager", "cpu", 2))
    found = scored(tmp_path, 1)
    assert found.scores == {}
    assert split_counts(tmp_path, {"": 1}, {"": 1}, found.n_read)[""]["n"] == 0


def test_a_chunk_of_skipped_items_between_others(tmp_path: Path) -> None:
    chunk(tmp_path, 0, [0, 1], ())
    write_chunk(chunk_path(tmp_path, "", 1), {}, ChunkInfo(1, (BROKEN,), "eager", "cpu", 2))
    scores = scored(tmp_path, 3).scores
    assert (scores[""]["top1"].value, scores[""]["top1"].n) == (1.0, 2)


class FirstSplitOnly:
    """A benchmark that looks at one split and leaves the others."""

    def score(self, splits: Iterator[tuple[str, pd.DataFrame]]) -> dict[str, Any]:
        return {name: {"rows": len(frame)} for name, frame in islice(splits, 1)}


class Watching:
    """A benchmark that notes how many of the frames that it was given are still in memory."""

    def __init__(self) -> None:
        self.alive: list[int] = []

    def score(self, splits: Iterator[tuple[str, pd.DataFrame]]) -> dict[str, Any]:
        given = []
        for _, frame in splits:
            given.append(ref(frame))
            gc.collect()
            self.alive.append(sum(frame() is not None for frame in given))
        return {}


def three_splits(records: Path) -> dict[str, int]:
    """Two chunks in each of three splits; items by split."""
    names = ("fog/1", "fog/2", "fog/3")
    for name in names:
        chunk(records, 0, [0, 1, 2, 3], (), split=name)
        chunk(records, 1, [4, 5], (), split=name)
    return dict.fromkeys(names, 6)


def test_one_split_of_a_clean_run_is_in_memory_at_a_time(tmp_path: Path) -> None:
    benchmark: Any = Watching()
    score_records(benchmark, tmp_path, three_splits(tmp_path), None)
    assert benchmark.alive == [1, 1, 1]


def test_items_of_splits_that_a_benchmark_leaves_out_are_counted(tmp_path: Path) -> None:
    benchmark: Any = FirstSplitOnly()
    found = score_records(benchmark, tmp_path, three_splits(tmp_path), None)
    assert found.scores == {"fog/1": {"rows": 6}}
    assert found.n_read == {"fog/1": 6, "fog/2": 6, "fog/3": 6}


@pytest.mark.parametrize(
    ("cells", "missing", "status"),
    [
        ([(5, 5)], [], "complete"),
        ([(5, 5), (3, 3)], [], "complete"),
        ([(5, 5), (2, 3)], [], "partial"),
        ([(6, 5)], [], "partial"),
        ([(5, 5)], ["fog/1"], "partial"),
    ],
)
def test_complete_is_every_official_picture(
    cells: list[tuple[int, int]], missing: list[str], status: str
) -> None:
    splits = {str(k): {"n": n, "n_expected": of} for k, (n, of) in enumerate(cells)}
    assert status_of(splits, missing) == status
