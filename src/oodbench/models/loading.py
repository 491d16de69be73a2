"""Load weights files into networks: formats, layouts, and errors that name the tensor."""

import logging
import pickle
import pickletools
import re
import warnings
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from oodbench.core.errors import WeightsError, first_line
from oodbench.models import likely
from oodbench.models.entries import StateDict, state_dict_of
from oodbench.models.prefixes import nearly, without_prefix
from oodbench.models.shards import shards

log = logging.getLogger(__name__)

# Old checkpoints of torchvision's DenseNet have a dot that module names may no longer have.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")

# What torch.compile puts before the names of a module, and DataParallel before all.
_COMPILED = "_orig_mod."
_PARALLEL = "module."

_MOCO_ENCODER = "encoder_q."

# First bytes of files that are no weights but arrive under a weights file's name.
_OTHER_FILES = (
    (
        re.compile(rb"\s*<(!doctype|html|head|\?xml|!--)", re.IGNORECASE),
        "is a web page, not weights (a download that failed or wanted a login): get the file again",
    ),
    (
        re.compile(rb"version https://git-lfs"),
        "is a pointer of git-lfs, not the weights: run git lfs pull where it came from",
    ),
    (re.compile(rb"\x1f\x8b"), "is compressed by gzip: unpack it"),
    (
        re.compile(rb"(?s).{257}ustar"),
        "is a tar archive, which PyTorch before 0.1.10 wrote too and nothing reads safely: unpack "
        "it, or where you trust it save its state dict again, torch.save(net.state_dict(), PATH)",
    ),
)
# Magic number, version, system and content, each a pickle; the tensors follow.
_PICKLES_BEFORE_ZIP = 4
_TORCH_SAVE = (b"PK\x03\x04", b"\x80\x02")
_REFUSED = (
    "holds pickled code and is refused: where you trust it, save its state dict "
    "again as .safetensors, or with torch.save(net.state_dict(), PATH)"
)


def read_state_dict(
    path: Path, *, entry: str | None = None, wanted: Mapping[str, Any] | None = None
) -> StateDict:
    """Tensors of a weights file, or of all of its shards, on the CPU.

    Dictionaries around the state dict are unwrapped, and DataParallel's `module.` and
    torch.compile's `_orig_mod.` taken off the names. Nothing in the file is executed.

    Args:
        path: what safetensors or torch.save wrote (zip, or the older format without); its content
            decides, not its suffix. One of several shards, or their index, stands for all.
        entry: which of several sets of weights in the file, see `oodbench.models.entries`.
        wanted: the network's state dict, whose names tell its weights from others; default: only
            their size does.

    Raises:
        WeightsError: the file is cut off, damaged or something else, holds pickled code, no state
            dict or several, or a shard is missing.
    """
    parts = shards(path)
    content = _read(parts[0]) if len(parts) == 1 else _read_shards(parts)
    names = [] if wanted is None else list(_counted_out(wanted))
    tensors = state_dict_of(content, path=path, entry=entry, wanted=names)
    return {_OLD_DENSENET.sub(r"\1\2.", k): v for k, v in _unwrapped(tensors, path).items()}


def _unwrapped(tensors: StateDict, path: Path) -> StateDict:
    """Names without what DataParallel and torch.compile put before them."""
    found = {key.replace(_COMPILED, ""): tensor for key, tensor in tensors.items()}
    if len(found) != len(tensors):
        return tensors
    while found and all(key.startswith(_PARALLEL) for key in found):
        log.info("%s: its names begin with %s, which is taken off", path, _PARALLEL)
        found = {key.removeprefix(_PARALLEL): tensor for key, tensor in found.items()}
    return found


def _read_shards(parts: list[Path]) -> StateDict:
    whole: StateDict = {}
    for part in parts:
        tensors = _read(part)
        if not isinstance(tensors, Mapping):
            raise WeightsError(f"{part}: holds no tensors by name: get the shard again")
        if twice := whole.keys() & tensors.keys():
            raise WeightsError(f"{part}: has {min(twice)}, which another shard has too: get both")
        whole.update(tensors)
    return whole


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
        WeightsError: another number of tensors, or a shape that differs; names the models that
            the tensors would fit.
    """
    own, given = _counted_out(network.state_dict()), _counted_out(tensors)
    for (name, mine), (other, theirs) in zip(own.items(), given.items(), strict=False):
        if mine.shape != theirs.shape:
            raise WeightsError(
                f"{path}: does not fit by position: {name} is {_shape(mine)} in the network, "
                f"{other} is {_shape(theirs)} in the file{likely.hint(tensors, path=path)}"
            )
    if len(own) != len(given):
        raise WeightsError(
            f"{path}: does not fit by position: {len(own)} tensors in the network, "
            f"{len(given)} in the file{likely.hint(tensors, path=path)}"
        )
    return dict(zip(own, given.values(), strict=True))


def load(network: nn.Module, tensors: StateDict, *, path: Path) -> None:
    """Load tensors into a network, all of them and nothing else.

    Only BatchNorm's `num_batches_tracked`, which evaluation never reads, may be absent. Where all
    names begin with a prefix that the network's lack, those after it are loaded.

    Args:
        network: changed in place.
        tensors: with the network's own names and shapes, or with these names after a prefix.
        path: for messages.

    Raises:
        WeightsError: names the first tensors that are missing, unexpected or of another shape, and
            the models that they would fit.
    """
    own = network.state_dict()
    wanted = list(_counted_out(own))
    tensors = without_prefix(wanted, tensors, path=path)
    missing = [key for key in wanted if key not in tensors]
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
        outputs = None if missing or unexpected else _other_classifier(own, tensors)
        hint = outputs or nearly(wanted, tensors) or likely.hint(tensors, path=path)
        raise WeightsError(f"{path}: does not fit the network: tensors {', '.join(problems)}{hint}")
    network.load_state_dict(tensors, strict=False)


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return load_file(path) if _is_safetensors(start) else _read_torch_save(path)
    except Exception as error:  # a damaged pickle makes the unpickler raise nearly anything
        raise WeightsError(f"{path}: {_why_unreadable(path, start, error)}") from None


def _read_torch_save(path: Path) -> Any:
    # Opened here: of a path PyTorch reads the suffix.
    with path.open("rb") as file, warnings.catch_warnings():
        # Of TorchScript and foreign pickles, which are refused right after.
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(file, map_location="cpu", weights_only=True)


def _is_safetensors(start: bytes) -> bool:
    """Its JSON header follows eight bytes of length."""
    return start[8:9] == b"{"


def _why_unreadable(path: Path, start: bytes, error: Exception) -> str:
    size = path.stat().st_size
    if size == 0:
        return "is empty: get it again"
    for pattern, reason in _OTHER_FILES:
        if pattern.match(start):
            return reason
    if "TorchScript" in str(error):
        return "is a TorchScript program: save its state dict, torch.save(net.state_dict(), PATH)"
    if isinstance(error, pickle.UnpicklingError) and _holds_whole_pickles(path, start):
        return _REFUSED
    if start.startswith(_TORCH_SAVE) or _is_safetensors(start):
        return f"is cut off or damaged: get it again ({size} bytes: {_first_sentence(error)})"
    return f"is no weights file: neither safetensors nor torch.save wrote it ({size} bytes)"


def _holds_whole_pickles(path: Path, start: bytes) -> bool:
    """Whether PyTorch refused what a pickle says, rather than failed to read it. Runs nothing."""
    if is_zipfile(path):
        return True
    try:
        with path.open("rb") as file:
            for _ in range(_PICKLES_BEFORE_ZIP):
                deque(pickletools.genops(file), maxlen=0)
                if not file.peek(1):
                    break
    except ValueError:
        return False
    return start.startswith(b"\x80")


def _other_classifier(own: StateDict, tensors: StateDict) -> str | None:
    """What to do where only the last layer has another number of outputs."""
    differing = [k for k, v in _counted_out(own).items() if v.shape != tensors[k].shape]
    layers = {key.rpartition(".")[0] for key in differing}
    same_inputs = all(
        own[key].dim() == tensors[key].dim() > 0 and own[key].shape[1:] == tensors[key].shape[1:]
        for key in differing
    )
    if len(layers) != 1 or not same_inputs:
        return None
    here, there = len(own[differing[0]]), len(tensors[differing[0]])
    return (
        f"; its classifier {layers.pop()} has {there} outputs, the network {here}: take the file "
        f"with {here} classes, or a network with {there} outputs and model.classes=FILE"
    )


def _counted_out(tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _first_sentence(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError):
        return type(error).__name__
    return first_line(error).split(". ")[0]
