"""Loader -> attack -> engine -> readout -> records, chunk by chunk."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from oodbench.attacks.base import Attack
from oodbench.attacks.checks import ImageError, check_result
from oodbench.attacks.seeds import image_seed
from oodbench.benchmarks.base import Benchmark, Item, Split
from oodbench.engines.base import Engine, Forward
from oodbench.errors import AttackError, DataError
from oodbench.loader import load_ahead
from oodbench.progress import Progress
from oodbench.readouts import cross_entropy
from oodbench.records import ChunkInfo, Skipped, chunk_path, write_chunk

Transform = Callable[[Image.Image], NDArray[np.uint8]]
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Chunk:
    """Items `start` to `stop` of a split, written as one file."""

    split: Split
    number: int
    start: int
    stop: int


@dataclass(frozen=True)
class Setting:
    """How a run's chunks are computed.

    Attributes:
        classifier: on `device`, in eval mode.
        attack: None for a clean evaluation.
        seed: with an image's path, the source of all randomness of the attack.
        skip_unreadable: leave out items that cannot be read instead of raising.
    """

    benchmark: Benchmark
    transform: Transform
    classifier: nn.Module
    engine: Engine
    engine_name: str
    device: str
    attack: Attack | None
    seed: int
    batch_size: int
    workers: int
    skip_unreadable: bool


@dataclass(frozen=True)
class Loaded:
    """Pixels of an item, uint8 `(frames, H, W, 3)`, or why there are none."""

    item: Item
    position: int
    pixels: NDArray[np.uint8] | None
    reason: str = ""


@dataclass(frozen=True)
class Frame:
    """One picture on its way through the network."""

    loaded: Loaded
    index: int
    pixels: NDArray[np.uint8]


def evaluate(chunks: Sequence[Chunk], setting: Setting, records: Path, progress: Progress) -> None:
    """Compute and write the chunks, one after the other.

    Raises:
        DataError: an item cannot be read and `skip_unreadable` is off.
    """
    runner = _Runner(setting)

    def load(task: tuple[Split, int, Item]) -> Loaded:
        split, position, item = task
        return _load(item, position, split, setting)

    ahead = 2 * setting.batch_size + setting.workers
    stream = load_ahead(load, _tasks(chunks), workers=setting.workers, ahead=ahead)
    for chunk in chunks:
        _evaluate_chunk(chunk, islice(stream, chunk.stop - chunk.start), runner, records, progress)


def _tasks(chunks: Sequence[Chunk]) -> Iterator[tuple[Split, int, Item]]:
    """Items of the chunks in order; a split's files are listed once, not once a chunk."""
    for _, of_split in groupby(chunks, key=lambda chunk: chunk.split.name):
        items: list[Item] | None = None
        for chunk in of_split:
            items = items or chunk.split.list_items()
            for position in range(chunk.start, chunk.stop):
                yield chunk.split, position, items[position]


def _load(item: Item, position: int, split: Split, setting: Setting) -> Loaded:
    try:
        pictures = setting.benchmark.load(split.root / item.image)
    except DataError as error:
        if not setting.skip_unreadable:
            raise DataError(f"{error}; replace it, or set data.on_error=skip") from error
        return Loaded(item, position, None, str(error))
    return Loaded(item, position, np.stack([setting.transform(picture) for picture in pictures]))


def _evaluate_chunk(
    chunk: Chunk, stream: Iterator[Loaded], runner: "_Runner", records: Path, progress: Progress
) -> None:
    setting = runner.setting
    skipped: list[Skipped] = []
    parts: list[Columns] = []
    for batch in _batches(stream, setting.batch_size, skipped, progress):
        parts.append(runner.columns(batch, chunk.split.name))
    columns = (
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
    )
    info = ChunkInfo(
        n_items=chunk.stop - chunk.start,
        skipped=tuple(skipped),
        engine=setting.engine_name,
        device=setting.device,
        batch_size=setting.batch_size,
    )
    write_chunk(chunk_path(records, chunk.split.name, chunk.number), columns, info)


def _batches(
    stream: Iterator[Loaded], size: int, skipped: list[Skipped], progress: Progress
) -> Iterator[list[Frame]]:
    """Frames of a chunk in batches of `size`, the last one smaller."""
    batch: list[Frame] = []
    for loaded in stream:
        progress.advance(1)
        if loaded.pixels is None:
            skipped.append(Skipped(loaded.item.image, loaded.reason))
            continue
        for index, pixels in enumerate(loaded.pixels):
            batch.append(Frame(loaded, index, pixels))
            if len(batch) == size:
                yield batch
                batch = []
    if batch:
        yield batch


class _Runner:
    """A setting with its prepared forward pass, made at the first batch."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self._forward: Forward | None = None

    def columns(self, batch: list[Frame], split: str) -> Columns:
        """Records of a batch."""
        images = self._images(batch)
        if self._forward is None:
            self._forward = self.setting.engine.prepare(self.setting.classifier, images[:1])
        columns = _identity(batch, split)
        if self.setting.attack is not None:
            images, attacked = self._attack(self.setting.attack, images, batch)
            columns.update(attacked)
        columns.update(self.setting.benchmark.readout(self._logits(images)))
        return columns

    def _logits(self, images: Tensor) -> NDArray[np.float32]:
        assert self._forward is not None
        logits: NDArray[np.float32] = self._forward(images).float().cpu().numpy()
        return logits

    def _images(self, batch: list[Frame]) -> Tensor:
        sizes = {frame.pixels.shape for frame in batch}
        if len(sizes) > 1:
            raise DataError(
                f"{batch[0].loaded.item.image}: pictures of one batch have {len(sizes)} sizes; "
                "choose one that crops or resizes, such as preprocessing=resize256_crop224"
            )
        pixels = torch.from_numpy(np.stack([frame.pixels for frame in batch]))
        if self.setting.device.startswith("cuda"):
            pixels = pixels.pin_memory()
        on_device = pixels.to(self.setting.device, non_blocking=True)
        return on_device.permute(0, 3, 1, 2).contiguous().float().div_(255)

    def _attack(self, attack: Attack, images: Tensor, batch: list[Frame]) -> tuple[Tensor, Columns]:
        labels = torch.tensor([frame.loaded.item.label for frame in batch], device=images.device)
        seeds = [image_seed(self.setting.seed, _frame_name(frame)) for frame in batch]
        clean = self._logits(images)
        try:
            result = attack(self.setting.classifier, images, labels, seeds)
            distances = check_result(images, result, attack.eps, attack.norm)
        except ImageError as error:
            name = _frame_name(batch[error.position])
            raise AttackError(f"attack={attack.name}: {name} {error.complaint}") from error
        extra = {name: values.cpu().numpy() for name, values in result.columns.items()}
        pursued = result.columns.get("target", labels).cpu().numpy()
        return result.images, {
            "clean_prediction": clean.argmax(axis=1).astype(np.int16),
            "clean_loss": cross_entropy(clean, pursued),
            "attack_succeeded": result.succeeded.cpu().numpy(),
            "attack_iterations": result.iterations.cpu().numpy().astype(np.int32),
            "linf": distances.linf.cpu().numpy(),
            "l2": distances.l2.cpu().numpy(),
            **extra,
        }


def _frame_name(frame: Frame) -> str:
    """What an image's randomness depends on: its path, and in a clip the frame."""
    return frame.loaded.item.image + (f"#{frame.index}" if frame.index else "")


def _identity(batch: list[Frame], split: str) -> Columns:
    items = [frame.loaded.item for frame in batch]
    columns: Columns = {
        "image": np.array([item.image for item in items], dtype=object),
        "split": np.array([split] * len(items), dtype=object),
        "position": np.array([frame.loaded.position for frame in batch], dtype=np.int32),
        "frame": np.array([frame.index for frame in batch], dtype=np.int16),
        "label": np.array([item.label for item in items], dtype=np.int16),
    }
    for name in items[0].columns:
        columns[name] = np.array([item.columns[name] for item in items])
    return columns
