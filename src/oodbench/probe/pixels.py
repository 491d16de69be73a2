"""Pictures as tensors, with an augmentation that depends on the picture and the epoch alone."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from oodbench.core.errors import DataError, DiskError
from oodbench.data.pictures import load_picture, prepared
from oodbench.data.read_files import files_read
from oodbench.preprocessing import Preprocessing, Transform
from oodbench.probe.listing import Pictures
from oodbench.probe.recipe import Indices
from oodbench.probe.schema import ProbePreprocessingConfig


def centre_crop_transform(config: ProbePreprocessingConfig) -> Transform:
    """Resize and centre crop: validation, and training without augmentation."""
    return Preprocessing(resize=config.resize, crop=config.crop, interpolation=config.interpolation)


@dataclass(frozen=True)
class RandomCropAndFlip:
    """torchvision's RandomResizedCrop and RandomHorizontalFlip, as in main_lincls.py of MoCo.

    8 to 100 % of the area, aspect ratio 3/4 to 4/3, flipped in half of the cases. Draws from
    PyTorch's global generator.
    """

    size: int
    interpolation: str

    def __call__(self, picture: Image.Image) -> NDArray[np.uint8]:
        """Pixels uint8 `(size, size, 3)` of an RGB picture."""
        mode = v2.InterpolationMode(self.interpolation)
        crop = v2.RandomResizedCrop(self.size, interpolation=mode, antialias=True)
        return np.array(v2.RandomHorizontalFlip()(crop(picture)), dtype=np.uint8)


class PictureSet(Dataset[Tensor]):
    """Pictures as uint8 `(3, H, W)`, by index.

    Args:
        pictures: what there is.
        transform: picture to pixels `(H, W, 3)`.
        seed: of the run.
        epoch: pixels of a random transform depend on seed, epoch and relative path, so neither on
            workers and processes nor on where a training was interrupted.
    """

    def __init__(
        self, pictures: Pictures, transform: Transform, *, seed: int = 0, epoch: int = 0
    ) -> None:
        self.pictures = pictures
        self.transform = transform
        self.seed = seed
        self.epoch = epoch

    def __getitem__(self, index: int) -> Tensor:
        """Pixels of one picture.

        Raises:
            DataError: the file is truncated or not a picture, or holds another one than the key of
                the training says.
        """
        path = self.pictures.path(index)
        with files_read() as read:
            (picture,) = load_picture(path)
        if self.epoch == 0 and self.pictures.files is not None:
            self.pictures.files.keep({index: read[0].decoded})
        with torch.random.fork_rng(devices=[]):
            seed = picture_seed(self.seed, self.epoch, bytes(self.pictures.paths[index]))
            torch.default_generator.manual_seed(seed)
            pixels = prepared(picture, path, self.transform)
        return torch.from_numpy(pixels).permute(2, 0, 1)


def picture_seed(seed: int, epoch: int, path: bytes) -> int:
    """The first 63 bits of sha256("<seed>:<epoch>:<path>")."""
    digest = hashlib.sha256(b"%d:%d:%s" % (seed, epoch, path)).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def load_pixels(
    dataset: PictureSet, pieces: Iterable[Indices], *, workers: int, pin: bool
) -> Iterator[Tensor]:
    """Batches uint8 `(m, 3, H, W)` in the order of `pieces`; m may be 0.

    Args:
        dataset: gives one picture.
        pieces: indices of each batch, int64 `(m,)`.
        workers: processes that decode; 0: this one.
        pin: whether to put batches into page-locked memory, for CUDA.

    Raises:
        DataError: a picture cannot be read.
        DiskError: the disk of one does not answer, or is gone.
    """
    loader: DataLoader[Tensor] = DataLoader(
        dataset,
        batch_sampler=[piece.tolist() for piece in pieces],
        num_workers=workers,
        collate_fn=_stack,
        pin_memory=pin,
    )
    try:
        yield from loader
    except (DataError, DiskError) as error:
        # A worker's error comes with its traceback, of which the last line is the message.
        last = str(error).strip().splitlines()[-1]
        kind = type(error)
        raise kind(last.partition(f"{kind.__name__}: ")[2] or last) from None


def _stack(pictures: list[Tensor]) -> Tensor:
    return torch.stack(pictures) if pictures else torch.empty(0, 3, 1, 1, dtype=torch.uint8)
