"""What is known about a model's weights and what is on disk, for `oodbench-models`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oodbench.core.errors import OodbenchError, WeightsError
from oodbench.core.schema import ModelConfig
from oodbench.models.shards import shards
from oodbench.models.weights import WeightsFile, locate, verify, wanted, weights_hash

BYTES_A_PARAMETER = 4


@dataclass(frozen=True)
class Checked:
    """What `check_model` found.

    Attributes:
        state: ok, missing or wrong.
        message: the files with their sha256, or what is missing or wrong.
    """

    state: str
    message: str


def find_stored(model: ModelConfig, directory: Path) -> list[WeightsFile]:
    """The model's files on disk.

    Raises:
        WeightsError: a file is missing.
    """
    return locate(model.name, model.weights, directory, download=False)


def size_text(model: ModelConfig, files: Sequence[WeightsFile]) -> str:
    """Size of the files on disk, or without any what float32 parameters take ("about")."""
    if files:
        return _megabytes(sum(map(_size, files)))
    if model.parameters is None:
        return "unknown"
    return f"about {_megabytes(model.parameters * 1e6 * BYTES_A_PARAMETER)}"


def check_model(model: ModelConfig, directory: Path) -> Checked:
    """Check that the weights are there, have the right hash, load, and have the registered size."""
    try:
        files = find_stored(model, directory)
    except WeightsError as error:
        weights = model.weights
        if weights.url is None and weights.hub is None:
            return Checked("missing", str(error))
        return Checked("missing", f"put {wanted(weights)} into {directory}")
    if not files:
        return Checked("missing", f"model {model.name} names no weights")
    try:
        for file in files:
            verify(file, directory)
        _load(model, files)
    except OodbenchError as error:
        return Checked("wrong", str(error))
    return Checked("ok", ", ".join(describe(file) for file in files))


def describe(file: WeightsFile) -> str:
    """Path, size and whole sha256 of a file, in one line; of several shards of all together."""
    count = len(shards(file.path))
    parts = f"{count} shards, " if count > 1 else ""
    size = _megabytes(_size(file))
    return f"{file.path} ({parts}{size}, sha256 {weights_hash(file.path)})"


def _size(file: WeightsFile) -> int:
    return sum(part.stat().st_size for part in shards(file.path))


def _load(model: ModelConfig, files: list[WeightsFile]) -> None:
    from oodbench.models.build import build_classifier  # it imports torch

    build_classifier(model, weights_files=[file.path for file in files])


def _megabytes(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
