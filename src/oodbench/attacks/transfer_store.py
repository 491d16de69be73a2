"""Adversarial pictures on disk, made once on one model and used against many."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oodbench.attacks.base import AttackResult
from oodbench.core.files import PART, atomic_path
from oodbench.core.lease import remove_if_abandoned

log = logging.getLogger(__name__)

_COLUMN = "column_"
_CHANGE, _SUCCEEDED, _ITERATIONS = "change", "succeeded", "iterations"


@dataclass(frozen=True)
class StoredPicture:
    """One adversarial picture as it is on disk.

    Attributes:
        change: float16 `(C, H, W)`, adversarial minus clean in [0, 1] pixel units.
        succeeded: the attack reached its goal on the model it was made on.
        iterations: how many it took.
        columns: one value per name.
    """

    change: NDArray[np.float16]
    succeeded: bool
    iterations: int
    columns: dict[str, NDArray[np.generic]]


class TransferStore:
    """One small file per picture: `<directory>/<2 hex digits>/<32 hex digits>.npz`.

    What is stored is the change of the picture in float16, rounded towards 0. No value of a change
    grows, so both norms and [0, 1] hold without clipping, and it shrinks by less than 1/1024 of
    itself: at eps = 8/255 by less than 3.1e-5, or 0.008/255. (uint8 pictures would lose up to
    0.5/255, which is the whole of an l_2 attack of radius 0.5 at 224 pixels.)

    A file's name is a hash of the clean pixels, label and seed, so that a change is never added to
    another picture. Files are written atomically: two processes may fill one store, and of a
    picture that both made, the later one stays. A damaged file counts as missing.
    """

    def __init__(self, directory: Path) -> None:
        """Name the folder; it is made when something is stored, and killed processes' files go."""
        self.directory = directory
        self._is_tidy = False

    def read(self, image: Tensor, label: int, seed: int) -> StoredPicture | None:
        """What is stored for a clean image `(C, H, W)`, or None."""
        path = self._path(image, label, seed)
        if not path.is_file():
            return None
        try:
            stored = _loaded(path)
        except Exception as error:  # damaged bytes fail in any way: zip, zlib, header, type
            log.warning("%s: damaged (%s), made again", path, type(error).__name__)
            return None
        fits = stored.change.dtype == np.float16 and stored.change.shape == tuple(image.shape)
        return stored if fits else None

    def write(self, image: Tensor, label: int, seed: int, stored: StoredPicture) -> None:
        """Store what an attack made of a clean image."""
        if not self._is_tidy:
            self._is_tidy = True
            for part in self.directory.glob(f"*/.*.npz.*{PART}"):
                remove_if_abandoned(part)
        arrays: dict[str, NDArray[np.generic]] = {
            _CHANGE: stored.change,
            _SUCCEEDED: np.asarray(stored.succeeded),
            _ITERATIONS: np.asarray(stored.iterations),
        }
        arrays |= {_COLUMN + name: value for name, value in stored.columns.items()}
        with atomic_path(self._path(image, label, seed)) as part, part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def _path(self, image: Tensor, label: int, seed: int) -> Path:
        pixels = image.detach().cpu().contiguous().numpy()
        digest = hashlib.sha256(f"{seed}:{label}:{pixels.dtype}:{pixels.shape}\n".encode())
        digest.update(pixels.tobytes())
        name = digest.hexdigest()[:32]
        return self.directory / name[:2] / f"{name}.npz"


def storable(clean: Tensor, result: AttackResult) -> list[StoredPicture]:
    """An attack's pictures in the form of the store.

    Args:
        clean: float `(N, C, H, W)` in [0, 1].
        result: what the attack made of them.
    """
    changes = _towards_zero((result.images - clean).cpu().numpy())
    columns = {name: values.cpu().numpy() for name, values in result.columns.items()}
    return [
        StoredPicture(
            change,
            bool(result.succeeded[row]),
            int(result.iterations[row]),
            {name: np.asarray(values[row]) for name, values in columns.items()},
        )
        for row, change in enumerate(changes)
    ]


def restored(clean: Tensor, stored: list[StoredPicture]) -> AttackResult:
    """Pictures of the type and on the device of the clean ones, and what was stored with them."""
    device = clean.device
    changes = torch.from_numpy(np.stack([picture.change for picture in stored]))
    names = list(stored[0].columns)
    return AttackResult(
        (clean + changes.to(clean)).clamp(0, 1),
        torch.tensor([picture.succeeded for picture in stored], device=device),
        torch.tensor([picture.iterations for picture in stored], device=device),
        {
            name: torch.from_numpy(np.stack([picture.columns[name] for picture in stored])).to(
                device
            )
            for name in names
        },
    )


def _loaded(path: Path) -> StoredPicture:
    # Opened here, because np.load leaves its own file open when it is no archive.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return StoredPicture(
            arrays[_CHANGE],
            bool(arrays[_SUCCEEDED]),
            int(arrays[_ITERATIONS]),
            {
                name.removeprefix(_COLUMN): arrays[name]
                for name in arrays.files
                if name.startswith(_COLUMN)
            },
        )


def _towards_zero(changes: NDArray[np.floating]) -> NDArray[np.float16]:
    nearest = changes.astype(np.float16)
    beyond = np.abs(nearest.astype(changes.dtype)) > np.abs(changes)
    return np.where(beyond, np.nextafter(nearest, np.float16(0)), nearest)
