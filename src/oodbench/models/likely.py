"""Which model a state dict would fit, for the error about one that does not."""

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from oodbench.core.errors import OodbenchError
from oodbench.core.schema import shipped

# Networks that are built to be compared, without memory for weights: about 0.05 s each.
_MOST_CANDIDATES = 16

# Entries of a state dict that are no parameters.
_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def hint(tensors: Mapping[str, Tensor], *, path: Path) -> str:
    """End of an error message: "; it would fit model=NAME", or "" where nothing is found.

    Args:
        tensors: the state dict.
        path: its file; among timm's networks, those named like it are tried first.
    """
    models = likely_models(tensors, path=path)
    return f"; it would fit {' or '.join(models[:3])}" if models else ""


def likely_models(tensors: Mapping[str, Tensor], *, path: Path) -> list[str]:
    """Overrides that select a network with exactly these names and shapes.

    The shipped models are tried first, then torchvision's classifiers, then timm's; the first of
    these that has a fit answers. Few networks are built: those with this number of parameters, in
    timm (which does not say how many a network has) those whose first and last layer are called so.

    Args:
        tensors: the state dict.
        path: its file, for the order among timm's.

    Returns:
        Overrides of the command line, the best first; without weights.
    """
    if any(key.startswith("encoder_q.") for key in tensors):
        return ["model=moco_v2"]
    return _shipped_models(tensors) or _torchvision(tensors) or _timm(tensors, path.stem)


def _shipped_models(tensors: Mapping[str, Tensor]) -> list[str]:
    millions = _count_parameters(tensors) / 1e6
    fits: dict[str, bool] = {}
    found = []
    for name in shipped("model"):
        node: Any = OmegaConf.load(str(files("oodbench.conf") / "model" / f"{name}.yaml"))
        layout = OmegaConf.select(node, "weights.layout", default="plain")
        stated = node.get("parameters")  # the generic ones have none
        if stated is None or abs(stated - millions) > 0.001 or layout == "moco_v2":
            continue
        # Several models are one network, trained otherwise.
        same = f"{layout} {node.network}"
        if same not in fits:
            network: Any = OmegaConf.to_container(node.network)
            fits[same] = _fits(network, tensors, by_name=layout != "positional")
        if fits[same]:
            found.append(f"model={name}")
    return found


def _torchvision(tensors: Mapping[str, Tensor]) -> list[str]:
    from torchvision import models

    count = _count_parameters(tensors)
    found = []
    for name in models.list_models(module=models):
        said = next(iter(models.get_model_weights(name))).meta["num_params"]
        # Buffers of its own that a network counts as none make the file's count a little higher.
        if abs(said - count) <= 0.005 * said and _fits(_network("torchvision", name), tensors):
            found.append(f"model=torchvision model.name={name}")
    return found


def _timm(tensors: Mapping[str, Tensor], file_name: str) -> list[str]:
    candidates = sorted(
        _timm_architectures(tensors), key=partial(_similarity, file_name), reverse=True
    )
    return [
        f"model=checkpoint model.arch={name}"
        for name in candidates[:_MOST_CANDIDATES]
        if _fits(_network("timm", name), tensors)
    ]


def _timm_architectures(tensors: Mapping[str, Tensor]) -> Iterator[str]:
    import timm
    from timm.models import get_arch_pretrained_cfgs

    for name in timm.list_models():
        for facts in list(get_arch_pretrained_cfgs(name).values())[:1]:
            layers = (facts.first_conv, facts.classifier)
            if all(isinstance(key, str) and f"{key}.weight" in tensors for key in layers):
                yield name


def _network(library: str, architecture: str) -> dict[str, Any]:
    target = f"oodbench.models.networks.{library}_network"
    return {"_target_": target, "architecture": architecture}


def _fits(network: dict[str, Any], tensors: Mapping[str, Tensor], *, by_name: bool = True) -> bool:
    # Imported here: loading, which this serves, is part of building.
    from oodbench.core.building import build

    try:
        with torch.device("meta"):
            built = build(network, "network")
    except OodbenchError:
        return False
    return isinstance(built, nn.Module) and _shapes(built.state_dict(), by_name) == _shapes(
        tensors, by_name
    )


def _shapes(tensors: Mapping[str, Tensor], by_name: bool) -> Any:
    shapes = {
        key: tuple(tensor.shape)
        for key, tensor in tensors.items()
        if not key.endswith("num_batches_tracked")
    }
    return shapes if by_name else list(shapes.values())


def _count_parameters(tensors: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() for key, tensor in tensors.items() if not key.endswith(_BUFFERS))


def _similarity(file_name: str, architecture: str) -> float:
    return SequenceMatcher(None, file_name, architecture).ratio()
