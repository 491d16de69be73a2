"""Build a Classifier from a model's config and weights files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from oodbench.core.building import bound_arguments, build
from oodbench.core.errors import ConfigError, WeightsError
from oodbench.core.ids import frozen
from oodbench.core.schema import ModelConfig
from oodbench.models import loading
from oodbench.models.classifier import Classifier
from oodbench.models.shards import shards
from oodbench.models.weights import missing_head

_OWN_NETWORKS = "oodbench.models."
_WITH_WEIGHTS = (
    "oodbench.models.networks.function_network",
    "oodbench.models.given.given_network",
)
"""Networks that bring the user's own weights."""

_DEVICE = "device"
"""Argument of our own networks that take one."""

_READ_BY_THE_LIBRARY = ("timm", "transformers", "open_clip", "onnx")
"""Layouts whose file is read by the network's constructor, as `weights_file`."""


def build_classifier(
    model: ModelConfig, *, weights_files: Sequence[Path], device: str = "cpu"
) -> Classifier:
    """Construct the network, check its size, load its weights, add the normalisation.

    PyTorch's global random numbers are left as they were.

    Args:
        model: the `model` node of the config.
        weights_files: those of `oodbench.models.weights.Weights`.
        device: that what a network needs once, such as features of texts, is computed on.

    Returns:
        On the CPU, in evaluation mode, float32.

    Raises:
        ConfigError: the network cannot be constructed.
        WeightsError: no weights, or weights that do not fit.
    """
    if not weights_files:
        _allow_no_file(model)
    _refuse_idle_entry(model, weights_files)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(model.weights.random_seed or 0)
        network = _construct(model, weights_files, device)
    _check_parameters(model, network)
    if weights_files and not _library_reads(model, weights_files):
        _load(model, network, weights_files)
    return Classifier(
        network,
        mean=model.mean,
        std=model.std,
        name=model.name,
        classes=model.classes,
        outputs=model.outputs,
        allow_unstable=model.allow_unstable,
    )


def count_parameters(network: nn.Module) -> float:
    """Number of parameters in millions."""
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


def _construct(model: ModelConfig, weights_files: Sequence[Path], device: str) -> nn.Module:
    node = dict(model.network)
    if _is_ours(node) and _DEVICE in bound_arguments(node, "model.network"):
        node[_DEVICE] = device
    if _library_reads(model, weights_files):
        node["weights_file"] = str(weights_files[0])
    network = build(node, "model.network")
    if not isinstance(network, nn.Module):
        raise ConfigError(
            f"model.network._target_={node['_target_']} gave a {type(network).__name__}, "
            "not a torch.nn.Module"
        )
    return network


def _library_reads(model: ModelConfig, files: Sequence[Path]) -> bool:
    """Of timm only safetensors, which cannot hold code; the other readers see to that themselves.

    A pickle in timm's place is read by our own loader, and so are several shards, or one of the
    entries of a file.
    """
    if not files or model.weights.layout not in _READ_BY_THE_LIBRARY:
        return False
    if model.weights.layout != "timm":
        return True
    parts = shards(files[0])
    return len(parts) == 1 and parts[0].suffix == ".safetensors" and model.weights.entry is None


def _refuse_idle_entry(model: ModelConfig, files: Sequence[Path]) -> None:
    entry = model.weights.entry
    if entry is not None and (not files or _library_reads(model, files)):
        raise WeightsError(
            f"model {model.name}: model.weights.entry={entry} chooses among the entries of a "
            "checkpoint, and this model reads none: leave it out"
        )


def _allow_no_file(model: ModelConfig) -> None:
    """Only a network of the user's may bring its own weights; ours would be random unseen."""
    if _is_ours(model.network) and model.weights.random_seed is None:
        raise WeightsError(
            f"model {model.name} has no weights: set model.weights.file=PATH, or "
            "model.weights.random_seed=0 for random ones"
        )


def _is_ours(node: dict[str, Any]) -> bool:
    """Whether oodbench knows the network, other than what the user gives."""
    target = str(frozen(node).get("_target_", ""))
    return target.startswith(_OWN_NETWORKS) and target not in _WITH_WEIGHTS


def _check_parameters(model: ModelConfig, network: nn.Module) -> None:
    found = count_parameters(network)
    if model.parameters is not None and abs(found - model.parameters) > 0.001:
        raise WeightsError(
            f"model {model.name}: model.parameters={model.parameters} million, "
            f"but its network has {found:.3f} million"
        )


def _load(model: ModelConfig, network: nn.Module, files: Sequence[Path]) -> None:
    weights = model.weights
    wanted = network.state_dict() if weights.layout in ("plain", "timm") else None
    tensors = loading.read_state_dict(files[0], entry=weights.entry, wanted=wanted)
    if model.weights.layout == "positional":
        tensors = loading.by_position(network, tensors, path=files[0])
    elif model.weights.layout == "moco_v2":
        if len(files) < 2:
            raise missing_head(model.name, model.weights.head_file)
        head = loading.read_state_dict(files[1])
        tensors = loading.moco_state_dict(tensors, head, head_file=files[1])
    loading.load(network, tensors, path=files[0])
