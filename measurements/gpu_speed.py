"""Pictures per second on a device: JPEG to top-1 against timm's loop, and the parts of it alone."""

import multiprocessing
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from gpu_common import (
    Job,
    Row,
    Speed,
    cores,
    network_alone,
    opened,
    pixels_of,
    planned,
    row,
    steady,
    tasks_of,
)
from numpy.typing import NDArray
from throughput import Loop, timm_transform
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets.folder import default_loader

from oodbench.core.building import build
from oodbench.core.errors import ConfigError, first_line
from oodbench.core.lease import Leases
from oodbench.core.progress import Progress
from oodbench.core.resampling.packed import Packed, new_memory, packed
from oodbench.data.pictures import load_picture
from oodbench.engines.cuda import pinned_memory
from oodbench.engines.pytorch import autocast, set_precision
from oodbench.engines.resizing import Copied
from oodbench.evaluation.batches import load_batches
from oodbench.evaluation.choose_reading import reading_of
from oodbench.evaluation.evaluate import compute
from oodbench.evaluation.reader import Reader
from oodbench.evaluation.rows import Rows
from oodbench.runs.chunks import all_chunks
from oodbench.runs.claims import Claims
from oodbench.runs.paths import RunPaths
from oodbench.runs.plan import Plan

AHEAD = 64
ROUNDS = 1000
"""Times that a run goes through the pictures: more than there is time for."""

SHORT = 1.5
"""Seconds of a measurement of a network, where there are many of them."""

SAME = 0.99
"""Share of pictures with the same prediction; a random network's best logits are close."""

CPU_ENGINES = ("onnxruntime", "openvino")
CONFIGS = Path(__file__).parents[1] / "conf" / "engine"


@dataclass(frozen=True)
class Work:
    """A network and how it is computed.

    Attributes:
        batches: that the loop of timm may choose from.
    """

    model: str
    precision: str
    batches: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.model}, {self.precision}"


RESNET = Work("resnet50", "tf32", (64, 128, 256))
EFFICIENTNET = Work("tf_efficientnet_b0", "fp16", (128, 256))
NETWORKS = (EFFICIENTNET, Work("resnext101_32x8d", "tf32", (64, 256)))
LARGEST = Work("tf_efficientnet_l2_ns_475", "fp16", (32, 64))
SMALL = Work("efficientnet_lite0", "fp32", (4,))
BATCH_SIZES = (16, 32, 64, 128, 256, 512)


def resnet(job: Job) -> Iterator[Row]:
    """JPEG to top-1 against the loop of timm, and against the slower of loading and network."""
    work = job.pick(RESNET, SMALL)
    plan = plan_of(job, work)
    found: dict[str, int] = {}
    ours = jpeg_to_top1(job, plan, found)
    yield against_timm(job, work, plan, ours, found, goal=1.3)
    loading = loading_alone(job, plan)
    network = network_of(job, plan)
    yield row(
        job,
        f"{work}, JPEG to top-1, of the slower of loading and network alone",
        *(ours.rate, min(loading, network), "pictures/s"),
        goal=0.9,
        loading=loading,
        network=network,
    )


def networks(job: Job) -> Iterator[Row]:
    """JPEG to top-1 against the loop of timm, other networks."""
    for work in job.pick(NETWORKS, (SMALL,)):
        yield whole(job, work)


def largest(job: Job) -> Iterator[Row]:
    """The same of the largest network, whose random weights alone take half a minute."""
    yield whole(job, job.pick(LARGEST, SMALL))


def whole(job: Job, work: Work) -> Row:
    """JPEG to top-1 against the loop of timm."""
    plan = plan_of(job, work)
    found: dict[str, int] = {}
    ours = jpeg_to_top1(job, plan, found)
    return against_timm(job, work, plan, ours, found, goal=1.0)


def loading(job: Job) -> Iterator[Row]:
    """All cores against one, times the cores; processes load, so that nothing else differs."""
    work = job.pick(RESNET, SMALL)
    one, all_ = (
        loading_alone(job, plan_of(job, work, f"data.workers={workers}", "data.loader=processes"))
        for workers in (1, cores())
    )
    yield row(
        job,
        f"loading alone, {cores()} workers against {cores()} x one",
        *(all_, cores() * one, "pictures/s"),
        goal=0.85,
    )
    yield row(
        job,
        f"loading alone, {cores()} workers against {cores()} processes that hand nothing over",
        *(all_, read_by_all(job, plan_of(job, work)), "pictures/s"),
    )


def resizing(job: Job) -> Iterator[Row]:
    """Pictures resized by the device against by the workers, and how fast the device alone is."""
    work = job.pick(RESNET, SMALL)
    device, workers = (
        jpeg_to_top1(job, plan_of(job, work, f"data.resizing={place}"), {}).rate
        for place in ("device", "workers")
    )
    what = f"{work}, JPEG to top-1, resized by the device against by the workers"
    yield row(job, what, device, workers, "pictures/s")
    plan = plan_of(job, work, "data.resizing=device")
    batch, wanted = unresized(job, plan)
    on = torch.device(job.device)
    agree = np.array_equal(Copied(batch, on).pixels().cpu().numpy(), wanted)
    with closing(copied_and_resized(job, batch)) as counts:
        rate = steady(job, counts, SHORT).rate
    what = f"copying and resizing alone, batch {len(batch)}, against {work}, network alone"
    yield row(job, what, rate, network_of(job, plan), "pictures/s", agree=agree)


def unresized(job: Job, plan: Plan) -> tuple[Packed, NDArray[np.uint8]]:
    """A batch that has still to be resized, and its pixels by Pillow."""
    transform = build(plan.run.preprocessing, "preprocessing")
    tasks = tasks_of(plan)[: job.pick(2 * AHEAD, 4)]
    pictures = [load_picture(task.split.root / task.item.image)[0] for task in tasks]
    both = [(transform.unresized(picture), transform(picture)) for picture in pictures]
    both = [(found, pixels) for found, pixels in both if found is not None]

    def memory(size: int) -> NDArray[np.uint8]:
        return np.frombuffer(pinned_memory(size), np.uint8) if job.on_cuda else new_memory(size)

    return packed([found for found, _ in both], memory), np.stack([pixels for _, pixels in both])


def copied_and_resized(job: Job, batch: Packed) -> Iterator[int]:
    """Counts of pictures, one batch after the other."""
    while True:
        Copied(batch, torch.device(job.device)).pixels()
        job.synchronise()
        yield len(batch)


def cache(job: Job) -> Iterator[Row]:
    """JPEG to top-1 with all pictures in the disk cache, against the network alone."""
    work = job.pick(RESNET, SMALL)
    options = ("data.cache=disk", f"data.cache_dir={job.scratch}/pictures")
    plan = plan_of(job, work, *options)
    with opened(plan) as setting:
        tasks = job.pick(tasks_of(plan), tasks_of(plan)[:64])
        for _ in setting.loader.loaded(iter(tasks), AHEAD):
            pass
    ours = jpeg_to_top1(job, plan, {})
    yield row(
        job,
        f"{work}, pictures from the disk cache, against the network alone",
        *(ours.rate, network_of(job, plan), "pictures/s"),
        goal=0.9,
    )


def engines(job: Job) -> Iterator[Row]:
    """The network alone: batch sizes of the eager engine, then the other engines."""
    for work in job.pick((RESNET, EFFICIENTNET), (SMALL,)):
        yield from batch_sizes(job, work)
        yield from other_engines(job, work)


def batch_sizes(job: Job, work: Work) -> Iterator[Row]:
    """Rates of the eager engine; `theirs` is that of the default batch size."""
    plan = plan_of(job, work, "engine=eager")
    pixels = pixels_of(plan, AHEAD)
    with opened(plan) as setting:
        default = setting.batch_size
        usual = network_alone(job, setting, pixels, default, SHORT).rate
    for size in job.pick(BATCH_SIZES, (4,)):
        with opened(plan_of(job, work, "engine=eager", f"engine.batch_size={size}")) as setting:
            speed = network_alone(job, setting, pixels, size, SHORT)
        what = f"{work}, engine=eager, network alone, batch {size} against the default {default}"
        yield row(job, what, speed.rate, usual, "pictures/s")


def other_engines(job: Job, work: Work) -> Iterator[Row]:
    """Each engine at one batch size, and why where it does not run; `theirs` is eager."""
    size = job.pick(128, 4)
    eager = 0.0
    for name in engine_names(job):
        # Random weights give no logits to tell classes apart by: the gate is measured elsewhere.
        options = (f"engine={name}", f"engine.batch_size={size}", "engine.tolerance=1000")
        plan = plan_of(job, work, *options)
        pixels = pixels_of(plan, AHEAD)
        speed, refusal = Speed(0.0, 0.0), ""
        try:
            with opened(plan) as setting:
                speed = network_alone(job, setting, pixels, size, SHORT)
        except ConfigError as error:
            refusal = first_line(error)
        eager = eager or speed.rate
        yield row(
            job,
            f"{work}, engine={name}, network alone, batch {size}, against eager",
            *(speed.rate, eager, "pictures/s"),
            agree=not refusal,
            refusal=refusal,
            start_up=speed.start_up,
        )


def engine_names(job: Job) -> list[str]:
    """Eager first, the one that compiles last: it takes longest to start."""
    found = [path.stem for path in CONFIGS.glob("*.yaml") if path.stem not in CPU_ENGINES]
    order = {"eager": 0, "compiled": 2}
    names = sorted(found, key=lambda name: (order.get(name, 1), name))
    return [name for name in names if not (job.small and name == "compiled")]


def plan_of(job: Job, work: Work, *overrides: str) -> Plan:
    return planned(job, work.model, f"engine.precision={work.precision}", *overrides)


def jpeg_to_top1(job: Job, plan: Plan, found: dict[str, int]) -> Speed:
    """Of oodbench, from the plan to the records.

    Args:
        found: gets the predictions.
    """
    with closing(evaluated(job, plan, found)) as counts:
        return steady(job, counts)


def evaluated(job: Job, plan: Plan, found: dict[str, int]) -> Iterator[int]:
    """What `oodbench.evaluation.evaluate.evaluate` does, with a count after every batch."""
    repeated = all_chunks(plan) * ROUNDS
    chunks = [replace(chunk, number=number) for number, chunk in enumerate(repeated)]
    with (
        opened(plan) as setting,
        Progress(len(chunks), plan.cell) as progress,
        TemporaryDirectory(dir=job.scratch) as folder,
        Leases() as leases,
    ):
        claims = Claims(replace(plan, paths=RunPaths(Path(folder))), chunks, leases)
        size = setting.batch_size
        batches = load_batches(
            claims, setting.loader, progress, batch_size=size, pinned=job.on_cuda
        )
        rows = Rows(claims, setting.readout, device=setting.device)
        for batch, computed in compute(batches, setting):
            rows.add(batch, computed)
            if computed is not None:
                names = [frame.item.image for frame in batch.frames]
                found.update(zip(names, computed.logits.argmax(axis=1).tolist(), strict=True))
            yield len(batch.frames)


def loading_alone(job: Job, plan: Plan) -> float:
    """Pictures a second that are loaded, and used by nobody."""
    tasks = tasks_of(plan)
    endless = (tasks[number % len(tasks)] for number in count())
    with opened(plan) as setting, closing(setting.loader.loaded(endless, AHEAD)) as loaded:
        return steady(job, (1 for _ in loaded)).rate


def read_by_all(job: Job, plan: Plan) -> float:
    """Pictures a second of a process a core, that read and drop them: what the cores can do."""
    context = multiprocessing.get_context("fork")  # a plan cannot be pickled
    rates = context.SimpleQueue()
    seconds = job.pick(4.0, 0.2)
    processes = [
        context.Process(target=read_for, args=(plan, seconds, share / cores(), rates))
        for share in range(cores())
    ]
    for process in processes:
        process.start()
    found = sum(rates.get() for _ in processes)
    for process in processes:
        process.join()
    return float(found)


def read_for(plan: Plan, seconds: float, begin: float, rates: SimpleQueue[float]) -> None:
    """Puts how many pictures a second this process reads, from that share of the list on."""
    tasks = tasks_of(plan)
    first = int(begin * len(tasks))
    with Reader(reading_of(plan), plan.benchmark) as read:
        begun = now = time.perf_counter()
        done = 0
        while now - begun < seconds:
            task = tasks[(first + done) % len(tasks)]
            read(task.split, task.position, task.item)
            done, now = done + 1, time.perf_counter()
    rates.put(done / (now - begun))


def network_of(job: Job, plan: Plan) -> float:
    """Pictures a second of the network alone, at the batch size of the run."""
    pixels = pixels_of(plan, AHEAD)
    with opened(plan) as setting:
        return network_alone(job, setting, pixels, setting.batch_size).rate


def against_timm(
    job: Job, work: Work, plan: Plan, ours: Speed, found: dict[str, int], goal: float
) -> Row:
    """The loop of timm's validate.py on the same network, the best of a few settings."""
    with opened(plan) as setting:
        network = setting.classifier
    set_precision(work.precision, torch.device(job.device).type)
    loops = loops_of(job, work)
    expected: dict[str, int] = {}
    # timm has cuDNN try its algorithms, and takes the fastest, whether it repeats its bits or not.
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=True, deterministic=False, allow_tf32=work.precision == "tf32"
    ):
        trial = {
            loop: steady(job, usual_loop(job, work, plan, network, loop, {}), seconds=1.5).rate
            for loop in loops
        }
        best = max(loops, key=trial.__getitem__)
        theirs = steady(job, usual_loop(job, work, plan, network, best, expected))
    both = set(found) & set(expected)
    same = sum(found[name] == expected[name] for name in both) / len(both)
    return row(
        job,
        f"{work}, JPEG to top-1, against the loop of timm ({best})",
        *(ours.rate, theirs.rate, "pictures/s"),
        goal=goal,
        agree=same >= SAME,
        same=same,
        compared=len(both),
        start_up=ours.start_up,
    )


def loops_of(job: Job, work: Work) -> list[Loop]:
    """The largest batch with several counts of workers, the others with one per core."""
    *others, largest = work.batches
    counts = sorted({min(workers, cores()) for workers in (8, 12, 16)})
    loops = [Loop(largest, workers, channels_last=True) for workers in counts]
    loops += [Loop(batch, counts[-1], channels_last=True) for batch in others]
    return loops if work is RESNET else [loop for loop in loops if loop.workers == counts[-1]]


class Pictures(Dataset[tuple[Tensor, int]]):
    """The pictures in oodbench's order, over and over, as torchvision's ImageFolder loads them."""

    def __init__(self, root: Path, names: Sequence[str], transform: object) -> None:
        self._root, self._names, self._transform = root, names, transform

    def __len__(self) -> int:
        return len(self._names) * ROUNDS

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        position = number % len(self._names)
        picture = default_loader(str(self._root / self._names[position]))
        return self._transform(picture), position  # type: ignore[operator]


def usual_loop(
    job: Job, work: Work, plan: Plan, network: nn.Module, loop: Loop, found: dict[str, int]
) -> Iterator[int]:
    """Counts of pictures, as soon as their predictions are there: one batch is computed ahead."""
    names = [task.item.image for task in tasks_of(plan)]
    model = plan.run.model
    loader = DataLoader(
        Pictures(job.pictures, names, timm_transform(model)),
        batch_size=loop.batch_size,
        num_workers=loop.workers,
        pin_memory=job.on_cuda,
        persistent_workers=True,
    )
    layers = network.network.to(memory_format=torch.channels_last)  # its normalisation is timm's

    @torch.inference_mode()
    def top1(images: Tensor) -> Tensor:
        images = images.to(job.device, non_blocking=True, memory_format=torch.channels_last)
        with autocast(work.precision, images.device.type):
            return layers(images).argmax(1)

    top1(torch.rand(loop.batch_size, 3, model.input_size, model.input_size)).cpu()
    ahead: deque[tuple[Tensor, Tensor]] = deque()
    for images, positions in loader:
        ahead.append((top1(images), positions))
        if len(ahead) > 1:
            predicted, places = ahead.popleft()
            known = zip(places.tolist(), predicted.tolist(), strict=True)
            found.update((names[place], top) for place, top in known)
            yield len(places)
