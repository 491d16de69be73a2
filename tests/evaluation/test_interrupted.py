"""Ctrl-C in the middle of a chunk: its first items are kept, and the next run goes on there."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import go_there, planned
from run_bytes import run_bytes
from toys import WNIDS

from oodbench.benchmarks.base import Item, Split
from oodbench.evaluation import assemble, evaluate
from oodbench.evaluation.batches import Batch, Frame
from oodbench.evaluation.execute import execute
from oodbench.evaluation.rows import Computed, Rows
from oodbench.readouts import Standard
from oodbench.runs.chunks import Chunk
from oodbench.runs.claims import Claims
from oodbench.runs.done import is_done
from oodbench.runs.plan import Plan
from oodbench.runs.records import ChunkInfo, read_info, read_split
from oodbench.runs.results import RunResult

PLACES = {"adding": (Rows, "add"), "computing": (evaluate, "_started")}


@pytest.fixture
def here(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(assemble, "_last", {})
    return go_there(toy, monkeypatch)


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Start a run and press Ctrl-C at its `at`-th batch, while that is computed or added."""

    def start(
        plan: Plan, *, at: int, place: str = "adding", number: signal.Signals = signal.SIGINT
    ) -> None:
        owner, name = PLACES[place]
        original, calls = getattr(owner, name), 0

        def pressed(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == at:
                os.kill(os.getpid(), number)
            return original(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, pressed)
            with pytest.raises(KeyboardInterrupt):
                execute(plan)

    return start


def finished(plan: Plan) -> RunResult:
    result = execute(plan)
    assert result is not None
    return result


def kept(plan: Plan, number: int = 0) -> ChunkInfo:
    found = read_info(plan.paths.records / f"all-{number:05d}.parquet")
    assert found is not None
    return found


def test_what_a_launcher_does_to_queue_a_job_again_keeps_them_too(
    here: Path, interrupted: Callable[..., None]
) -> None:
    """submitit's handler raises SystemExit in the middle of anything."""
    plan = planned("output_root=stopped")
    before = signal.signal(signal.SIGUSR2, lambda *_: sys.exit(-1))
    try:
        with pytest.raises(SystemExit):
            interrupted(plan, at=4, number=signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert kept(plan).n_items == 16


@pytest.mark.parametrize("place", PLACES)
def test_a_run_goes_on_after_the_pictures_that_it_has(
    here: Path, interrupted: Callable[..., None], place: str
) -> None:
    """All 60 pictures are in one chunk; three times it is stopped in it."""
    finished(planned("output_root=undisturbed"))
    plan = planned("output_root=stopped")
    reached = []
    for _ in range(3):
        interrupted(plan, at=4, place=place)
        reached.append(kept(plan).n_items)
        assert not plan.paths.result.exists()
        assert is_done(plan) is None
        assert not list(Path("stopped").rglob("*.lease"))
        assert not list(Path("stopped").rglob("*.part"))
    # While a batch is added Ctrl-C waits, so four batches of four; those in work, up to two, are
    # not kept.
    assert reached == sorted(set(reached))
    assert reached[0] in ((16,) if place == "adding" else (4, 8, 12))
    assert reached[-1] < 60
    finished(plan)
    assert run_bytes(Path("stopped")) == run_bytes(Path("undisturbed"))


def test_the_other_chunks_may_be_there_already(
    here: Path, interrupted: Callable[..., None]
) -> None:
    """Two shards of a chunk each: the second one is whole, the first one is not."""
    usual = ("benchmark.chunk_size=30", "shard.count=2")
    finished(planned("output_root=undisturbed", *usual[:1]))
    assert execute(planned("output_root=stopped", *usual, "shard.index=1")) is None
    first = planned("output_root=stopped", *usual, "shard.index=0")
    interrupted(first, at=2)
    assert (kept(first).n_items, kept(first, 1).n_items) == (8, 30)
    assert execute(planned("output_root=stopped", *usual, "shard.index=1")) is None
    finished(first)
    assert run_bytes(Path("stopped")) == run_bytes(Path("undisturbed"))


def test_a_picture_that_cannot_be_read_is_counted_once(
    here: Path, interrupted: Callable[..., None]
) -> None:
    (here / "data" / "imagenet" / "val" / WNIDS[2] / f"{WNIDS[2]}_001.JPEG").write_bytes(b"none")
    skip = "data.on_error=skip"
    finished(planned("output_root=undisturbed", skip))
    plan = planned("output_root=stopped", skip)
    interrupted(plan, at=3)  # it is the eighth picture, in the second batch
    assert (kept(plan).n_items, len(kept(plan).skipped)) == (13, 1)
    result = finished(plan)
    assert (result.n_images, len(result.skipped)) == (59, 1)
    assert read_split(plan.paths.records, "")["position"].tolist() == [
        position for position in range(60) if position != 7
    ]


def test_a_file_that_reaches_further_is_not_replaced(
    here: Path, interrupted: Callable[..., None]
) -> None:
    """It is done anew to read what was left out; until that is done, a result rests on it."""
    (here / "data" / "imagenet" / "val" / WNIDS[0] / f"{WNIDS[0]}_011.JPEG").write_bytes(b"none")
    finished(planned("data.on_error=skip"))
    before = run_bytes(Path("outputs"))
    interrupted(planned(), at=2)
    assert run_bytes(Path("outputs")) == before


def test_a_smaller_result_stays_as_it_is(here: Path, interrupted: Callable[..., None]) -> None:
    finished(planned("output_root=undisturbed"))
    small = planned("output_root=stopped", "limit=8")
    finished(small)
    interrupted(planned("output_root=stopped"), at=2)
    assert kept(small).n_items == 16
    found = is_done(small)
    assert found is not None
    assert found.n_images == 8
    assert finished(planned("output_root=stopped")).n_images == 60
    assert run_bytes(Path("stopped")) == run_bytes(Path("undisturbed"))


class Keeping(Claims):
    """Remembers what it is given to keep."""

    def __init__(self) -> None:
        self.given: list[tuple[Chunk, dict[str, Any], ChunkInfo]] = []

    def before(self, chunk: Chunk) -> ChunkInfo | None:
        return None

    def keep(self, chunk: Chunk, columns: Any, info: ChunkInfo, decoded: Any = None) -> None:
        self.given.append((chunk, dict(columns), info))


@pytest.mark.parametrize(
    ("frames", "covered", "rows"),
    [
        # (item, frame, whether it is the last of its clip) of each row
        ([(0, 0, False), (0, 1, True), (1, 0, False)], 1, 2),
        ([(0, 0, False), (0, 1, True), (1, 0, False), (1, 1, True)], 2, 4),
        ([(0, 0, False), (0, 1, False)], 0, 0),
    ],
)
def test_a_clip_is_kept_whole_or_not_at_all(
    frames: list[tuple[int, int, bool]], covered: int, rows: int
) -> None:
    chunk = Chunk(Split("", Path(), 9, 9, "", list), 0, 0, 9, 0)
    claims = Keeping()
    gathered = Rows(claims, Standard(), device="cpu")
    for position, index, last in frames:
        frame = Frame(Item(f"{position}.mp4", 3), position, index, last=last)
        deep = [position] if index == 0 else []
        pixels = np.zeros((1, 4, 4, 3), np.uint8)
        computed = Computed(np.zeros((1, 1000), np.float32), {}, "eager", "", 1)
        gathered.add(Batch(chunk, pixels, [frame], [], last=False, deep=deep), computed)
    gathered.keep()
    assert [info.n_items for _, _, info in claims.given] == ([covered] if covered else [])
    for _, columns, info in claims.given:
        assert len(columns["position"]) == rows
        assert columns["position"].max() < covered
        assert info.deep == tuple(range(covered))
    gathered.keep()  # there is nothing more
    assert len(claims.given) == bool(covered)
