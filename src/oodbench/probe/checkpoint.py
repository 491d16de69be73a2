"""Files of tensors: the state of a training, and the classifier that it ends in."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from oodbench.core.errors import DataError
from oodbench.core.files import atomic_path
from oodbench.probe.training import State


def write_checkpoint(path: Path, state: State, *, key: str) -> None:
    """Keep a state, atomically."""
    content = {
        "key": key,
        "head": {name: tensor.cpu() for name, tensor in state.head.state_dict().items()},
        "optimizer": state.optimizer.state_dict(),
        "epoch": state.epoch,
        "step": state.step,
        "tally": state.tally,
        "rows": state.rows,
    }
    _write(path, content)


def read_checkpoint(path: Path, *, key: str) -> dict[str, Any] | None:
    """What `write_checkpoint` has written, on the CPU; None where there is nothing.

    Raises:
        DataError: the file is damaged or of another training.
    """
    if not path.is_file():
        return None
    content = _read(path)
    if content is None or content.get("key") != key:
        raise DataError(f"{path}: is no checkpoint of this training; remove it to start anew")
    return content


def restore(state: State, content: dict[str, Any]) -> None:
    """Bring a fresh state to where a checkpoint was."""
    state.head.load_state_dict(content["head"])
    state.optimizer.load_state_dict(content["optimizer"])
    state.epoch, state.step = content["epoch"], content["step"]
    state.tally, state.rows = content["tally"], content["rows"]


def write_head(path: Path, head: Mapping[str, torch.Tensor], facts: dict[str, Any]) -> None:
    """The classifier as `model=moco_v2` reads it; the same content gives the same bytes.

    Args:
        path: of the file.
        head: weight `(classes, d)` and bias `(classes,)`, float32 on the CPU.
        facts: plain values that say where it comes from, `key` among them.
    """
    _write(path, {"state_dict": {f"fc.{name}": head[name] for name in ("weight", "bias")}, **facts})


def head_key(path: Path) -> str | None:
    """Key of the training that made a classifier's file; None for any other file."""
    content = _read(path)
    return None if content is None else content.get("key")


def _write(path: Path, content: dict[str, Any]) -> None:
    # torch.save puts the file's name into what it writes: of a buffer, it is always the same.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_path(path) as part:
        part.write_bytes(buffer.getvalue())


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (
        Exception
    ):  # Of a file that torch.save has not written, the unpickler may raise anything.
        return None
    return content if isinstance(content, dict) else None
