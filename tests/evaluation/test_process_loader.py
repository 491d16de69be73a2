"""Worker processes load what threads load, and leave nothing behind."""

import copy
import gc
import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import loader_toys
import numpy as np
import pytest
from configs import composed, split
from toys import Cli, command

from oodbench.benchmarks.base import Item
from oodbench.core.building import build
from oodbench.core.errors import DataError
from oodbench.core.resampling.packed import packed
from oodbench.core.resampling.unresized import Unresized
from oodbench.engines.resizing import pixels_of
from oodbench.evaluation.choose_loader import loader_of
from oodbench.evaluation.loading import Loaded, Task
from oodbench.evaluation.process_loader import ProcessLoader
from oodbench.evaluation.reader import Reader, Reading
from oodbench.evaluation.shared_slots import SharedSlots
from oodbench.evaluation.thread_loader import ThreadLoader

RUN = composed("benchmark=imagenet")
RUN.benchmark.protocol = {"_target_": "loader_toys.Behaving"}
RUN.preprocessing = {"_target_": "oodbench.preprocessing.Preprocessing"}
READING = Reading(
    RUN,
    {"schema": 1, "benchmark": {"protocol": {}, "version": 1}, "preprocessing": {}},
    {"": 1000, "other": 1000},
)


def tasks(names: Sequence[str], of_split: str = "") -> Iterator[Task]:
    part = split(name=of_split)
    return (Task(part, position, Item(name, 0)) for position, name in enumerate(names))


def threads(*, skip: bool = False) -> ThreadLoader:
    benchmark: Any = loader_toys.Behaving()
    return ThreadLoader(Reader(READING, benchmark), workers=2, skip_unreadable=skip)


def processes(*, skip: bool = False, workers: int = 2) -> ProcessLoader:
    return ProcessLoader(READING, threads(skip=skip), workers=workers, skip_unreadable=skip)


def kept(stream: Iterator[Loaded]) -> list[tuple[str, int, Any, str]]:
    """What was loaded; pixels are copied, as the evaluation does it."""
    return [
        (entry.item.image, entry.position, _listed(entry.pixels), entry.reason) for entry in stream
    ]


def _listed(pixels: Any) -> Any:
    if isinstance(pixels, Unresized):
        return pixels.layout, pixels_of(packed([pixels])).tolist()
    return None if pixels is None else pixels.tolist()


def workers_of(parent: int) -> list[int]:
    """Children that load; another library may have started others."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [
        int(pid) for pid in children if "load_worker" in Path(f"/proc/{pid}/cmdline").read_text()
    ]


@pytest.mark.parametrize("ahead", [0, 3, 100])
def test_everything_is_as_threads_load_it_and_in_order(ahead: int) -> None:
    kinds = ["plain", "plain", "large", "clip", "broken", "slow"]
    names = [f"{kinds[number % 7 % 6]}-{number}" for number in range(40)]
    names = ["broken-0", *names]
    found = kept(processes(skip=True).loaded(tasks(names), ahead))
    assert found == kept(threads(skip=True).loaded(tasks(names), ahead))
    assert [name for name, *_ in found] == names
    assert np.array(found[1][2]).shape == (1, loader_toys.SIDE, loader_toys.SIDE, 3)


def test_pictures_that_are_resized_later() -> None:
    run = copy.deepcopy(RUN)
    run.preprocessing = {"_target_": "oodbench.preprocessing.Preprocessing", "resize": 6}
    benchmark: Any = loader_toys.Behaving()
    reading = replace(READING, run=run, resized_later=True)
    names = [f"{kind}-{number}" for number in range(12) for kind in ("plain", "large", "clip")]
    here = ThreadLoader(Reader(reading, benchmark), workers=2, skip_unreadable=False)
    there = ProcessLoader(reading, here, workers=2, skip_unreadable=False)
    found = kept(there.loaded(tasks(names), 5))
    assert found == kept(here.loaded(tasks(names), 5))
    plain, large, clip = (pixels for _, _, pixels, _ in found[:3])
    assert (plain[0].height, large[0].height) == (loader_toys.SIDE, 2 * loader_toys.SIDE)
    assert np.array(plain[1]).shape == np.array(large[1]).shape == (1, 6, 6, 3)
    assert np.array(clip).shape == (3, 6, 6, 3)


def test_two_splits_one_after_the_other() -> None:
    both = [*tasks(["plain-1"] * 11), *tasks(["plain-2"] * 5, "other")]
    found = kept(processes().loaded(iter(both), 8))
    assert [position for _, position, *_ in found] == [*range(11), *range(5)]


def test_nothing_that_can_be_read() -> None:
    assert kept(processes().loaded(tasks([]), 4)) == []
    (found,) = kept(processes(skip=True).loaded(tasks(["broken-0"]), 4))
    assert found == ("broken-0", 0, None, "x/broken-0: broken")


@pytest.mark.parametrize("at", [0, 20])
def test_what_cannot_be_read_stops_the_run_by_name(at: int) -> None:
    names = [f"{'broken' if number == at else 'plain'}-{number}" for number in range(30)]
    with pytest.raises(DataError, match=rf"^x/broken-{at}: broken; .*data\.on_error=skip$"):
        kept(processes().loaded(tasks(names), 8))
    assert workers_of(os.getpid()) == []


def test_an_error_of_the_user_s_own_benchmark_is_the_same_error() -> None:
    with pytest.raises(KeyError, match="7"):
        kept(processes().loaded(tasks(["plain-0", "plain-1", "bug-7"]), 8))


def test_warnings_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        kept(processes().loaded(tasks(["plain-0", *["warning-1"] * 40]), 20))
    assert [record.getMessage() for record in caplog.records] == ["a picture is odd"]


def test_a_killed_worker_is_named() -> None:
    names = ["plain-0"] * 20 + ["killed-0"] + ["plain-0"] * 20
    with pytest.raises(DataError) as caught:
        kept(processes().loaded(tasks(names), 8))
    said = str(caught.value)
    assert "was killed by signal 9, perhaps for want of memory" in said
    assert "the same command goes on" in said
    assert "\n" not in said
    assert workers_of(os.getpid()) == []


def test_a_consumer_that_stops_early_leaves_no_worker() -> None:
    stream = processes().loaded(tasks(["plain-0", *["slow-1"] * 100]), 16)
    assert len(list(islice(stream, 3))) == 3
    assert len(workers_of(os.getpid())) == 2
    stream.close()  # type: ignore[attr-defined]
    assert workers_of(os.getpid()) == []


def test_a_slot_is_free_again_once_the_last_view_is_gone() -> None:
    slots = SharedSlots(12, 1)
    first = slots.take()
    assert first == 0
    assert slots.take() is None
    pixels = slots.pixels(first, (1, 2, 2, 3))
    view = pixels[0, 1]
    view[:] = 7
    assert pixels.sum() == 7 * 6
    del pixels
    gc.collect()
    assert slots.take() is None
    del view
    gc.collect()
    assert slots.take() == 0
    slots.close()


@pytest.mark.parametrize(
    ("overrides", "n_items", "expected"),
    [
        (["data.workers=4"], 10**6, ThreadLoader),
        (["data.workers=16"], 1600, ProcessLoader),
        (["data.workers=16"], 1599, ThreadLoader),
        (["data.workers=16", "data.cache=memory"], 10**6, ThreadLoader),
        (["data.workers=16", "data.cache=disk"], 10**6, ProcessLoader),
        (["data.workers=1", "data.loader=processes"], 1, ProcessLoader),
        (["data.workers=16", "data.loader=threads"], 10**6, ThreadLoader),
    ],
)
def test_processes_where_there_are_many_pictures_and_cores(
    overrides: list[str], n_items: int, expected: type
) -> None:
    plan: Any = SimpleNamespace(run=composed(*overrides))
    read: Any = SimpleNamespace(reading=READING)
    assert type(loader_of(plan, read, n_items)) is expected


def test_records_are_the_same_bytes(toy: Path, cli: Cli) -> None:
    for loader in ("threads", "processes"):
        cache = f"data.cache={'disk' if loader == 'processes' else 'off'}"
        done = cli(
            *("model=toy", "preprocessing=timm", f"data.loader={loader}", "data.workers=2", cache),
            f"output_root={loader}",
        )
        assert done.returncode == 0, done.stdout + done.stderr
    (first,) = (toy / "threads").rglob("all-*.parquet")
    (second,) = (toy / "processes").rglob("all-*.parquet")
    assert first.read_bytes() == second.read_bytes()
    assert list((toy / ".cache/pictures").glob("*.pixels"))


SLOW = """

class Slow(Toy):
    def forward(self, x):
        import time
        time.sleep(0.1)
        return super().forward(x)
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_the_run(toy: Path, cli: Cli, end: signal.Signals) -> None:
    (toy / "toy_network.py").write_text((toy / "toy_network.py").read_text() + SLOW)
    common = (
        *("model=toy", "preprocessing=timm", "engine=eager", "benchmark.chunk_size=5"),
        *("model.network._target_=toy_network.Slow", "data.loader=processes", "data.workers=2"),
    )
    line, environment = command(toy, *common)
    run = subprocess.Popen(
        line, cwd=toy, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    _until(lambda: list((toy / "outputs").rglob("all-*.parquet")))
    workers = workers_of(run.pid)
    assert len(workers) == 2
    run.send_signal(end)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == (130 if end == signal.SIGINT else -9)
    assert "Traceback" not in errors
    _until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert cli(*common).returncode == 0


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


DATA = os.environ.get("OODBENCH_TEST_DATA")


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="OODBENCH_TEST_DATA does not name the folder of real pictures")
def test_pixels_of_500_real_pictures_are_equal(tmp_path: Path) -> None:
    run = composed("benchmark=imagenet", f"benchmark.root={Path(DATA or '', 'imagenet/val')}")
    benchmark = build(run.benchmark.protocol, "benchmark.protocol")
    (part,) = benchmark.splits()
    reading = Reading(run, READING.document, {"": part.n_items})
    with Reader(reading, benchmark) as read:
        alone = ThreadLoader(read, workers=2, skip_unreadable=False)
        together = ProcessLoader(reading, alone, workers=2, skip_unreadable=False)
        items = part.list_items()
        assert len(items) == 500

        def loaded(loader: ThreadLoader | ProcessLoader) -> Iterator[Loaded]:
            return loader.loaded((Task(part, k, item) for k, item in enumerate(items)), 32)

        for mine, theirs in zip(loaded(together), loaded(alone), strict=True):
            assert mine.item == theirs.item
            assert mine.pixels is not None
            assert np.array_equal(mine.pixels, theirs.pixels)
