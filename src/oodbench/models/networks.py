"""Constructors of networks without weights, for the `network` node of a model's config."""

from typing import Any

import timm
from torch import nn
from torchvision import models
from torchvision.models.resnet import Bottleneck, ResNet

from oodbench.errors import WeightsError
from oodbench.models.facts import unknown_name

# torchvision's builders switch these on only while they download weights themselves.
_PRETRAINED_ARGUMENTS: dict[str, dict[str, Any]] = {
    "googlenet": {"transform_input": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "init_weights": False},
}


def timm_network(*, architecture: str, hub_file: str | None = None) -> nn.Module:
    """A network of timm.

    Args:
        architecture: timm's name; a tag ("resnet50.tv_in1k") decides the number of classes.
        hub_file: `model.safetensors` of the model's Hugging Face repository. timm reads it itself,
            because some are converted, or lose a background class, on the way in. Default: random
            weights.

    Raises:
        ConfigError: timm has no such architecture or tag, or only as the old name of another one
            (it maps `ig_resnext101_32x48d` to a network a tenth its size).
        WeightsError: `hub_file` does not fit.
    """
    base, _, tag = architecture.partition(".")
    tags = timm.list_models(f"{base}.*", pretrained=True)
    known = timm.is_model(base) and base not in timm.models.get_deprecated_models()
    if not known or (tag and architecture not in tags):
        raise unknown_name("timm", architecture, tags or timm.list_models())
    if hub_file is None:
        network: nn.Module = timm.create_model(architecture, pretrained=False)
        return network
    # The registered format (custom_load) is that of the original URL, not of the hub's file.
    overlay = {"file": hub_file, "custom_load": False}
    try:
        network = timm.create_model(architecture, pretrained=True, pretrained_cfg_overlay=overlay)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(f"{hub_file}: does not fit timm's {architecture}: {reason}") from None
    return network


def torchvision_network(*, architecture: str) -> nn.Module:
    """A classifier of torchvision with random weights.

    Raises:
        ConfigError: torchvision has no such classifier.
    """
    known = models.list_models(module=models)
    if architecture not in known:
        raise unknown_name("torchvision", architecture, known)
    arguments = _PRETRAINED_ARGUMENTS.get(architecture, {})
    network: nn.Module = models.get_model(architecture, weights=None, **arguments)
    return network


def resnext101_wsl(*, base_width: int) -> nn.Module:
    """ResNeXt-101 32x`base_width`d with random weights (Mahajan et al. 2018, arXiv:1805.00932).

    For the width 48, of which timm has weights but no constructor.
    """
    network: nn.Module = ResNet(Bottleneck, [3, 4, 23, 3], groups=32, width_per_group=base_width)
    return network
