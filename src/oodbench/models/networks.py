"""Constructors of networks without weights, for the `network` node of a model's config."""

from collections.abc import Callable
from typing import Any

import timm
import torch
from hydra.utils import get_object
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision import models
from torchvision.models.resnet import Bottleneck, ResNet

from oodbench.core.errors import ConfigError, WeightsError
from oodbench.models.facts import unknown_name

# torchvision's builders switch these on only while they download weights themselves.
_PRETRAINED_ARGUMENTS: dict[str, dict[str, Any]] = {
    "googlenet": {"transform_input": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "init_weights": False},
}


def timm_network(*, architecture: str, weights_file: str | None = None) -> nn.Module:
    """A network of timm.

    Args:
        architecture: timm's name; a tag ("resnet50.tv_in1k") decides the number of classes.
        weights_file: `model.safetensors` of the model's Hugging Face repository. timm reads it
            itself, because some are converted, or lose a background class, on the way in. Default:
            random weights.

    Raises:
        ConfigError: timm has no such architecture or tag, or only as the old name of another one
            (it maps `ig_resnext101_32x48d` to a network a tenth its size).
        WeightsError: `weights_file` does not fit.
    """
    base, _, tag = architecture.partition(".")
    tags = timm.list_models(f"{base}.*", pretrained=True)
    known = timm.is_model(base) and base not in timm.models.get_deprecated_models()
    if not known or (tag and architecture not in tags):
        raise unknown_name("timm", architecture, tags or timm.list_models())
    if weights_file is None:
        network: nn.Module = timm.create_model(architecture, pretrained=False)
        return network
    # The registered format (custom_load) is that of the original URL, not of the hub's file.
    overlay = {"file": weights_file, "custom_load": False}
    try:
        network = timm.create_model(architecture, pretrained=True, pretrained_cfg_overlay=overlay)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(
            f"{weights_file}: does not fit timm's {architecture}: {reason}"
        ) from None
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


class FunctionNetwork(nn.Module):
    """A function from images to outputs, as a module without parameters."""

    def __init__(self, function: Callable[[Tensor], Tensor | NDArray[Any]], name: str) -> None:
        """`name`: of the function, for messages."""
        super().__init__()
        self.function = function
        self.name = name

    def forward(self, images: Tensor) -> Tensor:
        """What the function returns for normalised images, as float32 on their device.

        Raises:
            ConfigError: a gradient is asked for, but the function returned none.
        """
        found = torch.as_tensor(self.function(images), dtype=torch.float32, device=images.device)
        asked = images.requires_grad and torch.is_grad_enabled()
        if asked and not found.requires_grad:
            raise ConfigError(
                f"{self.name} returned outputs without a gradient, which this attack needs: "
                "compute them in PyTorch from the images, not under no_grad"
            )
        return found


def function_network(*, function: str) -> nn.Module:
    """A function of the user's as a network; it brings its own weights.

    Args:
        function: dotted name of a callable that takes normalised float32 `(N, 3, H, W)` and returns
            `(N, M)`, a tensor or an array.

    Raises:
        ConfigError: it cannot be imported or is not callable.
    """
    try:
        found = get_object(function)
    except Exception as error:  # whatever the user's module raises while it is imported
        reason = " ".join(str(error.__cause__ or error).split())
        raise ConfigError(
            f"model.network.function={function}: cannot be imported: {reason}"
        ) from error
    if not callable(found) or isinstance(found, type):
        raise ConfigError(f"model.network.function={function}: must be a function of images")
    return FunctionNetwork(found, function)
