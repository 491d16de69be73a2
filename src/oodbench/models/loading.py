"""Weights files into networks: formats, layouts, and errors that name the tensor."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from oodbench.errors import WeightsError

StateDict = dict[str, Tensor]

# Keys under which training scripts put the network's state dict.
_CONTAINERS = ("state_dict", "model")

# Old checkpoints of torchvision's DenseNet have a dot that module names may no longer have.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")

_MOCO_ENCODER = "encoder_q."


def read_state_dict(path: Path) -> StateDict:
    """Tensors of a weights file, on the CPU.

    A dictionary under `state_dict` or `model` is unwrapped, and DataParallel's `module.` taken
    off the names. Nothing in the file is executed.

    Args:
        path: `.safetensors`, or anything that torch.save wrote.

    Raises:
        WeightsError: the file is unreadable, holds pickled code, or is no state dict.
    """
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    for key in _CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content or not _all_tensors(content):
        raise WeightsError(f"{path}: holds no state dict: save one, net.state_dict()")
    return {_OLD_DENSENET.sub(r"\1\2.", k.removeprefix("module.")): v for k, v in content.items()}


def moco_state_dict(encoder: StateDict, head: StateDict, *, head_file: Path) -> StateDict:
    """A ResNet-50 from the two files of MoCo v2 (He et al. 2020, arXiv:2003.04297).

    Args:
        encoder: of the pre-training: `encoder_q.*`, whose `fc` is the projection and left out; its
            momentum encoder and queue are left out too.
        head: of the linear probe, `fc.weight` (1000, 2048) and `fc.bias` (1000,); whatever else is
            in it is left out.
        head_file: for messages.

    Raises:
        WeightsError: the head file has no `fc.weight` and `fc.bias`.
    """
    classifier = {key: head[key] for key in ("fc.weight", "fc.bias") if key in head}
    if len(classifier) != 2:
        raise WeightsError(f"{head_file}: has no fc.weight and fc.bias of a linear classifier")
    backbone = {
        key.removeprefix(_MOCO_ENCODER): tensor
        for key, tensor in encoder.items()
        if key.startswith(_MOCO_ENCODER) and not key.startswith(f"{_MOCO_ENCODER}fc.")
    }
    return backbone | classifier


def by_position(network: nn.Module, tensors: StateDict, *, path: Path) -> StateDict:
    """Give tensors the network's names, matched by their order.

    For a port that named its modules otherwise but registered them in the same order.

    Raises:
        WeightsError: another number of tensors, or a shape that differs.
    """
    own, given = _counted_out(network.state_dict()), _counted_out(tensors)
    for (name, mine), (other, theirs) in zip(own.items(), given.items(), strict=False):
        if mine.shape != theirs.shape:
            raise WeightsError(
                f"{path}: does not fit by position: {name} is {_shape(mine)} in the network, "
                f"{other} is {_shape(theirs)} in the file"
            )
    if len(own) != len(given):
        raise WeightsError(
            f"{path}: does not fit by position: {len(own)} tensors in the network, "
            f"{len(given)} in the file"
        )
    return dict(zip(own, given.values(), strict=True))


def load(network: nn.Module, tensors: StateDict, *, path: Path) -> None:
    """Put tensors into a network, all of them and nothing else.

    Only BatchNorm's `num_batches_tracked`, which evaluation never reads, may be absent.

    Args:
        network: changed in place.
        tensors: with the network's own names and shapes.
        path: for messages.

    Raises:
        WeightsError: names the first tensors that are missing, unexpected or of another shape.
    """
    own = network.state_dict()
    missing = [key for key in _counted_out(own) if key not in tensors]
    unexpected = [key for key in tensors if key not in own]
    reshaped = [
        f"{key} is {_shape(own[key])} in the network, {_shape(tensors[key])} in the file"
        for key in own
        if key in tensors and own[key].shape != tensors[key].shape
    ]
    problems = [
        f"{kind} {len(keys)} ({'; '.join(keys[:2])}{'; ...' if len(keys) > 2 else ''})"
        for kind, keys in (("missing", missing), ("unexpected", unexpected), ("shape", reshaped))
        if keys
    ]
    if problems:
        raise WeightsError(f"{path}: does not fit the network: tensors {', '.join(problems)}")
    network.load_state_dict(tensors, strict=False)


def _read_safetensors(path: Path) -> StateDict:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: cannot be read: {_first_line(error)}") from None


def _read_pickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise WeightsError(
            f"{path}: holds pickled code and is refused: where you trust it, save its state dict "
            "again as .safetensors, or with torch.save(net.state_dict(), PATH)"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read: {_first_line(error)}") from None


def _all_tensors(content: Mapping[Any, Any]) -> bool:
    return all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items())


def _counted_out(tensors: Mapping[str, Tensor]) -> StateDict:
    return {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
