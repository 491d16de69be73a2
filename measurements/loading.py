"""What loading costs the evaluating process, and how it scales with cores.

- Interpreter lock: a second thread looks at the clock again and again while pictures are loaded;
  where more than 20 us have passed since its last look, it was kept from running. `theirs` is
  loading in threads, `ours` in processes, microseconds a picture, less what it is beside an idle
  process. With as many busy processes as cores, the system's own switches are in both.
- Main thread: `evaluate` on pixels that are there already, with an engine that answers at once:
  batches, readout and records. `theirs` is the goal, 25 us a picture.
- Rates: pictures a second in processes on all cores against threads on all cores, and against
  one process times the cores; after the start of the processes. Then with pictures that are handed
  over as they were decoded, for the device to resize.

    python measurements/loading.py --pictures /data/imagenet/val --json loading.json
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_module
from numpy.typing import NDArray

from oodbench.core.files import write_json
from oodbench.core.lease import Leases
from oodbench.core.progress import Progress
from oodbench.core.resampling.packed import packed
from oodbench.core.schema import validate
from oodbench.engines.resizing import pixels_of
from oodbench.evaluation.choose_loader import loader_of
from oodbench.evaluation.choose_reading import reading_of
from oodbench.evaluation.evaluate import Setting, evaluate
from oodbench.evaluation.loading import ItemPixels, Loaded, Loader, Task
from oodbench.evaluation.reader import Reader
from oodbench.runs.chunks import all_chunks
from oodbench.runs.claims import Claims
from oodbench.runs.paths import RunPaths
from oodbench.runs.plan import Plan, decoders, make_plan
from oodbench.sweeps.composing import register_all

AHEAD = 64
WARM_UP = 200
REPEATED = 20
"""Times that the main thread gets the chunk: its first batches need new memory."""
MAIN_THREAD_GOAL = 25.0
SWITCH = 1e-4
"""Seconds after which the looking thread is asked to let another one run."""

GAP = 20e-6
"""Seconds between two looks at the clock that are no accident."""

IDLE = 2.0
"""Seconds in which the thread looks at the clock beside an idle process."""


class Turns:
    """A thread that adds up the time in which it may not run; a context manager."""

    def __init__(self) -> None:
        self.waited = 0.0
        self._stop = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        last = time.perf_counter()
        while not self._stop:
            now = time.perf_counter()
            if now - last > GAP:
                self.waited += now - last
            last = now

    def __enter__(self) -> "Turns":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join()


class Instant:
    """Loader and engine that answer at once."""

    name, note, depth = "instant", "", 2

    def __init__(self, side: int) -> None:
        self._pixels = np.zeros((1, side, side, 3), np.uint8)
        self._logits = np.random.default_rng(0).standard_normal((4096, 1000), np.float32)

    def loaded(self, tasks: Iterator[Task], ahead: int) -> Iterator[Loaded]:
        """The same pixels for all items."""
        return (Loaded(task.item, task.position, self._pixels) for task in tasks)

    def start(self, pixels: NDArray[np.uint8]) -> "Known":
        """Of a batch."""
        return Known(self._logits[: len(pixels)])


@dataclass(frozen=True)
class Known:
    """Logits that need no computing."""

    logits: NDArray[np.float32]

    def result(self) -> NDArray[np.float32]:
        """At once."""
        return self.logits


def planned(pictures: Path, workers: int, loader: str, resizing: str = "workers") -> Plan:
    """A run of all pictures."""
    overrides = [
        *("model=resnet50", "model.weights={random_seed: 0}", "preprocessing=timm"),
        *("benchmark=imagenet", f"benchmark.root={pictures}", "data.allow_partial=true"),
        *(f"data.workers={workers}", f"data.loader={loader}", f"data.resizing={resizing}"),
    ]
    with initialize_config_module("oodbench.conf", version_base="1.3"):
        return make_plan(validate(compose("config", overrides)))


def stream(plan: Plan, read: Reader, count: int) -> Iterator[Loaded]:
    """The pictures over and over, after a warm-up that has been consumed."""
    (split,) = plan.splits
    items = split.list_items()
    positions = (number % len(items) for number in range(count + WARM_UP))
    tasks = (Task(split, position, items[position]) for position in positions)
    loader: Loader = loader_of(plan, read, count)
    loaded = loader.loaded(tasks, AHEAD)
    for _ in islice(loaded, WARM_UP):
        pass
    return loaded


def rate(plan: Plan, count: int) -> float:
    """Pictures a second."""
    with Reader(reading_of(plan), plan.benchmark) as read:
        loaded = stream(plan, read, count)
        clock = time.perf_counter()
        for _ in loaded:
            pass
        return count / (time.perf_counter() - clock)


def lock_time(plan: Plan, count: int) -> float:
    """Microseconds a picture in which another thread of this process cannot run."""
    with Turns() as turns:
        time.sleep(IDLE)
    undisturbed = turns.waited / IDLE
    with Reader(reading_of(plan), plan.benchmark) as read:
        loaded = stream(plan, read, count)
        clock = time.perf_counter()
        with Turns() as turns:
            for _ in loaded:
                pass
        seconds = time.perf_counter() - clock
    return (turns.waited - undisturbed * seconds) / count * 1e6


def main_thread(plan: Plan, side: int, batch_size: int, rounds: int) -> float:
    """Microseconds a picture for everything but loading and network, the best of the rounds."""
    instant = Instant(side)
    nothing: Any = None
    setting = Setting(
        loader=instant,
        readout=plan.benchmark.readout,
        classifier=nothing,
        prepare=lambda example: instant,  # type: ignore[return-value, arg-type]
        device="cpu",
        attack=None,
        seed=0,
        batch_size=batch_size,
    )
    (chunk,) = all_chunks(plan)
    chunks = [replace(chunk, number=number) for number in range(REPEATED)]
    count = sum(chunk.stop - chunk.start for chunk in chunks)
    best = float("inf")
    for _ in range(rounds):
        with (
            tempfile.TemporaryDirectory() as scratch,
            Progress(count, "instant") as progress,
            Leases() as leases,
        ):
            elsewhere = replace(plan, paths=RunPaths(Path(scratch)))
            clock = time.perf_counter()
            evaluate(Claims(elsewhere, chunks, leases), setting, progress)
            best = min(best, (time.perf_counter() - clock) / count)
    return best * 1e6


def same_pixels(first: Plan, second: Plan) -> bool:
    """Whether both load the same pixels of all pictures."""
    digests = []
    for plan in (first, second):
        (split,) = plan.splits
        items = enumerate(split.list_items())
        with Reader(reading_of(plan), plan.benchmark) as read:
            loader = loader_of(plan, read, split.n_items)
            tasks = (Task(split, position, item) for position, item in items)
            digests.append([digest(found.pixels) for found in loader.loaded(tasks, AHEAD)])
    return digests[0] == digests[1]


def digest(pixels: ItemPixels | None) -> int:
    """Of an item's pixels, resized if they have to be."""
    assert pixels is not None
    done = pixels if isinstance(pixels, np.ndarray) else pixels_of(packed([pixels]))
    return hash(done.tobytes())


def row(
    work: str, ours: float, theirs: float, unit: str, agree: bool, *, higher_is_better: bool = False
) -> dict[str, Any]:
    ratio = ours / theirs if higher_is_better else theirs / ours
    return {
        "work": work,
        "ours": ours,
        "theirs": theirs,
        "unit": unit,
        "ratio": ratio,
        "agree": agree,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="class folders")
    parser.add_argument("--count", type=int, default=2000, help="pictures a rate is measured on")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    register_all()
    sys.setswitchinterval(SWITCH)
    cores = decoders(replace(planned(options.pictures, 1, "threads").run.data, workers=None))
    one, threads, processes = (
        planned(options.pictures, workers, loader)
        for workers, loader in ((1, "processes"), (cores, "threads"), (cores, "processes"))
    )
    agree = same_pixels(threads, processes)
    later, later_alone = (
        planned(options.pictures, workers, "processes", "device") for workers in (cores, 1)
    )
    same_later = same_pixels(processes, later)
    alone = planned(options.pictures, 1, "threads")
    by_one, by_threads, by_processes = (
        rate(plan, options.count) for plan in (one, threads, processes)
    )
    rows = [
        row(
            "interpreter lock, processes / threads",
            lock_time(one, options.count),
            lock_time(alone, options.count // 4),
            "us a picture",
            agree,
        ),
        row(
            f"main thread, batches of {options.batch_size}, goal",
            main_thread(alone, 224, options.batch_size, options.rounds),
            MAIN_THREAD_GOAL,
            "us a picture",
            True,
        ),
        row(
            f"loading on {cores} cores, processes / threads",
            *(by_processes, by_threads, "pictures a second", agree),
            higher_is_better=True,
        ),
        row(
            f"loading on {cores} cores, processes / {cores} x one process",
            *(by_processes, cores * by_one, "pictures a second", agree),
            higher_is_better=True,
        ),
        row(
            "loading by one process, resized later / by the process",
            *(rate(later_alone, options.count), by_one, "pictures a second", same_later),
            higher_is_better=True,
        ),
        row(
            f"loading by {cores} processes, resized later / by the processes",
            *(rate(later, options.count), by_processes, "pictures a second", same_later),
            higher_is_better=True,
        ),
    ]
    for entry in rows:
        print(
            "{work}: {ours:.1f} / {theirs:.1f} {unit}, {ratio:.2f}, agree {agree}".format(**entry)
        )
    if options.json:
        write_json(options.json, rows)


if __name__ == "__main__":
    main()
