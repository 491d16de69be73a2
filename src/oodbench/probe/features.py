"""Where a training gets its features: computed again in every epoch, or once for all."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oodbench.core.errors import DataError
from oodbench.core.progress import Progress
from oodbench.preprocessing import Transform
from oodbench.probe.backbone import Backbone
from oodbench.probe.listing import Pictures
from oodbench.probe.pixels import PictureSet, load_pixels
from oodbench.probe.processes import Processes
from oodbench.probe.recipe import Indices, batches, share

FeatureBatch = tuple[Tensor, Tensor]
"""Features float32 `(m, d)` and labels int64 `(m,)`, on one device."""


class FeatureSource(Protocol):
    """Features of given pictures."""

    def batches(self, pieces: list[Indices], epoch: int) -> Iterator[FeatureBatch]:
        """One batch for each of `pieces`, indices int64 `(m,)`; m may be 0."""
        ...


@dataclass(frozen=True)
class ComputedFeatures:
    """Decodes, augments and passes through the backbone whatever is asked for.

    Attributes:
        workers: processes that decode.
        seed: of the augmentation.
    """

    backbone: Backbone
    pictures: Pictures
    transform: Transform
    workers: int
    seed: int

    def batches(self, pieces: list[Indices], epoch: int) -> Iterator[FeatureBatch]:
        """One batch for each of `pieces`.

        Raises:
            DataError: a picture cannot be read.
        """
        dataset = PictureSet(self.pictures, self.transform, seed=self.seed, epoch=epoch)
        device = self.backbone.mean.device
        images = load_pixels(dataset, pieces, workers=self.workers, pin=device.type == "cuda")
        for piece, pixels in zip(pieces, images, strict=True):
            labels = torch.from_numpy(self.pictures.labels[piece]).to(device)
            yield self.backbone(pixels), labels


@dataclass(frozen=True)
class StoredFeatures:
    """Features that are known: the same in every epoch.

    Attributes:
        features: float32 `(n, d)`, a file or memory.
        labels: int64 `(n,)`.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    device: torch.device

    def batches(self, pieces: list[Indices], epoch: int) -> Iterator[FeatureBatch]:
        """One batch for each of `pieces`."""
        del epoch
        for piece in pieces:
            features = torch.from_numpy(self.features[piece]).to(self.device)
            yield features, torch.from_numpy(self.labels[piece]).to(self.device)


def store(path: Path, source: ComputedFeatures, processes: Processes, label: str) -> StoredFeatures:
    """Compute the features of all pictures once and keep them in a file.

    Every process writes its share, so with several machines the file's folder has to be shared
    between them. A file that is there already is whole, and used.

    Args:
        path: `.npy`.
        source: what computes them.
        processes: this process among all.
        label: for the progress.

    Raises:
        DataError: the file is of another size.
    """
    n, dimension = len(source.pictures), source.backbone.dimension
    if not processes.broadcast(path.is_file()):
        _fill(path.with_name(f"{path.stem}.part.npy"), (n, dimension), source, processes, label)
        if processes.writes:
            path.with_name(f"{path.stem}.part.npy").replace(path)
        processes.wait()
    features = np.load(path, mmap_mode="r")
    if features.shape != (n, dimension):
        raise DataError(f"{path}: {features.shape}, expected {(n, dimension)}: remove the file")
    return StoredFeatures(features, source.pictures.labels, source.backbone.mean.device)


def _fill(
    part: Path, shape: tuple[int, int], source: ComputedFeatures, processes: Processes, label: str
) -> None:
    if processes.writes:
        part.parent.mkdir(parents=True, exist_ok=True)
        np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=shape)
    processes.wait()
    features = np.load(part, mmap_mode="r+")
    all_pieces = batches(np.arange(shape[0]), source.backbone.forward_batch_size * processes.world)
    pieces = share(all_pieces, rank=processes.rank, world=processes.world)
    with progress_of(shape[0], label, processes) as progress:
        for whole, piece, (values, _) in zip(
            all_pieces, pieces, source.batches(pieces, epoch=0), strict=True
        ):
            features[piece] = values.cpu().numpy()
            progress.advance(len(whole))
    features.flush()
    processes.wait()


def progress_of(n: int, label: str, processes: Processes) -> "Progress | Silent":
    """Progress over `n` pictures, shown by one process only."""
    return Progress(n, label) if processes.writes else Silent()


class Silent:
    """Progress of a process that shows nothing: another one does."""

    def advance(self, n: int) -> None:
        """Ignore the progress."""

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *_: object) -> None:
        return None
