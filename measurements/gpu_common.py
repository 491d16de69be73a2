"""What the measurements of the GPU check stand on: a job, plans, the speed of a stream, a row."""

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice, repeat
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from hydra import compose, initialize_config_module
from numpy.typing import NDArray

from oodbench.core.resampling.packed import packed
from oodbench.core.schema import validate
from oodbench.engines.base import Forward
from oodbench.engines.resizing import pixels_of as resized
from oodbench.evaluation.assemble import setting_of
from oodbench.evaluation.choose_reading import reading_of
from oodbench.evaluation.evaluate import EXAMPLES, Setting
from oodbench.evaluation.loading import ItemPixels, Task
from oodbench.evaluation.reader import Reader
from oodbench.runs.chunks import Chunk, all_chunks
from oodbench.runs.plan import Plan, make_plan

WITH_WEIGHTS = ("efficientnet_lite0",)
"""The others are built with random weights: nothing is downloaded."""

ROUNDS = 10
"""Times 5,000 pictures."""

Pixels = NDArray[np.uint8]
Row = dict[str, Any]
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Job:
    """What is measured on.

    Attributes:
        pictures: class folders.
        device: cuda, cuda:1 or cpu.
        scratch: folder for what the runs write.
        small: with counts and networks that a processor can do, so that all the code is run.
    """

    pictures: Path
    device: str
    scratch: Path
    small: bool

    def pick(self, usual: _Value, small: _Value) -> _Value:
        return small if self.small else usual

    @property
    def on_cuda(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def card(self) -> str:
        return torch.cuda.get_device_name(self.device) if self.on_cuda else self.device

    def synchronise(self) -> None:
        """Wait for the device."""
        if self.on_cuda:
            torch.cuda.synchronize(self.device)


@dataclass(frozen=True)
class Speed:
    """Of a stream of batches.

    Attributes:
        start_up: seconds until the first batch was through.
        rate: pictures a second after the warm-up.
    """

    start_up: float
    rate: float


def row(
    job: Job,
    work: str,
    ours: float,
    theirs: float,
    unit: str,
    *,
    agree: bool = True,
    goal: float | None = None,
    higher_is_better: bool = True,
    **more: Any,
) -> Row:
    """A line of the table; the ratio is above 1 where ours is better."""
    better, worse = (ours, theirs) if higher_is_better else (theirs, ours)
    return {
        "work": work,
        "ours": rounded(ours),
        "theirs": rounded(theirs),
        "unit": unit,
        "ratio": rounded(better / worse) if worse else None,
        "agree": agree,
        "goal": goal,
        "card": job.card,
        **more,
    }


def rounded(value: float) -> float:
    """Four digits."""
    return float(f"{value:.4g}")


def cores() -> int:
    return len(os.sched_getaffinity(0))


def planned(job: Job, model: str, *overrides: str) -> Plan:
    """A clean run of a model on all pictures."""
    random = [] if model in WITH_WEIGHTS else ["model.weights={random_seed: 0}"]
    chosen = [
        *(f"model={model}", *random, "preprocessing=timm"),
        *("benchmark=imagenet", f"benchmark.root={job.pictures}", "data.allow_partial=true"),
        *(f"engine.device={job.device}", f"output_root={job.scratch}/outputs", *overrides),
    ]
    with initialize_config_module("oodbench.conf", version_base="1.3"):
        return make_plan(validate(compose("config", chosen)))


@contextmanager
def opened(plan: Plan, chunks: Sequence[Chunk] | None = None) -> Iterator[Setting]:
    """Loader, network and engine of a plan, as a run has them.

    Args:
        chunks: that are to be computed; None: ten times all pictures, as many as ImageNet has.
    """
    todo = all_chunks(plan) * ROUNDS if chunks is None else chunks
    with Reader(reading_of(plan), plan.benchmark) as read:
        yield setting_of(plan, read, todo)


def tasks_of(plan: Plan) -> list[Task]:
    (split,) = plan.splits
    return [Task(split, position, item) for position, item in enumerate(split.list_items())]


def pixels_of(plan: Plan, count: int) -> Pixels:
    """Of the first pictures, `(N, H, W, 3)`."""
    first = replace(all_chunks(plan)[0], stop=1)  # so few that this process loads them
    with opened(plan, [first]) as setting:
        loaded = setting.loader.loaded(islice(iter(tasks_of(plan)), count), count)
        return np.concatenate(
            [finished(found.pixels) for found in loaded if found.pixels is not None]
        )


def finished(pixels: ItemPixels) -> Pixels:
    """A copy of an item's pixels, resized if they have to be."""
    return pixels.copy() if isinstance(pixels, np.ndarray) else resized(packed([pixels]))


def repeated(pixels: Pixels, count: int) -> Pixels:
    """So many pictures, the same ones again and again."""
    return pixels[np.arange(count) % len(pixels)]


def through(forward: Forward, batches: Iterator[Pixels]) -> Iterator[NDArray[np.float32]]:
    """Logits of the batches, as many in flight as the engine has use for."""
    in_flight: deque[Any] = deque()
    for batch in batches:
        if len(in_flight) >= forward.depth:
            yield in_flight.popleft().result()
        in_flight.append(forward.start(batch))
    while in_flight:
        yield in_flight.popleft().result()


def network_alone(
    job: Job, setting: Setting, pixels: Pixels, batch_size: int, seconds: float = 4.0
) -> Speed:
    """Of an engine on pixels that are there already; the start-up is that of the engine.

    Args:
        seconds: see `steady`.
    """
    clock = time.perf_counter()
    forward = setting.prepare(repeated(pixels, EXAMPLES))
    prepared = time.perf_counter() - clock
    logits = through(forward, repeat(repeated(pixels, batch_size)))
    speed = steady(job, (len(found) for found in logits), seconds)
    return Speed(prepared + speed.start_up, speed.rate)


def steady(job: Job, counts: Iterator[int], seconds: float = 4.0) -> Speed:
    """Of a stream that yields how many pictures are through, and does not end by itself.

    Args:
        seconds: that are measured, after half as many of warm-up.
    """
    seconds = job.pick(seconds, 0.2)
    begun = time.perf_counter()
    next(counts)
    first = now = time.perf_counter()
    started, done = 0.0, 0
    for count in counts:
        now = time.perf_counter()
        if started:
            done += count
            if now - started >= seconds:
                break
        elif now - first >= seconds / 2:
            started = now
    return Speed(first - begun, done / (now - started))
