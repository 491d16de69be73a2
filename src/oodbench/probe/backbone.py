"""A model without its last linear layer: what the linear classifier is trained on."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from oodbench.core.errors import ConfigError, one_line
from oodbench.core.schema import ModelConfig, WeightsConfig
from oodbench.engines.pytorch import autocast
from oodbench.models import loading
from oodbench.models.build import build_classifier
from oodbench.models.device_memory import free_text, is_out_of_memory, release, without_frames
from oodbench.models.folded.layout import layout_of

log = logging.getLogger(__name__)


def backbone_weights(weights: WeightsConfig) -> WeightsConfig:
    """The sources of the backbone alone: MoCo's linear classifier is what is to be made."""
    if weights.layout != "moco_v2":
        return weights
    return replace(weights, layout="plain", head_file=None, head_hash=None)


def build_backbone(
    model: ModelConfig, files: Sequence[Path], *, precision: str, forward_batch_size: int
) -> "Backbone":
    """The model's network with its weights, up to the input of its last linear layer.

    Args:
        model: the `model` node of the config.
        files: the weights, found for `backbone_weights`.
        precision: fp32, tf32, bf16 or fp16.
        forward_batch_size: pictures that the network sees at once; half of them where memory runs
            out.

    Raises:
        ConfigError: the network cannot be constructed or does not end in a linear layer.
        WeightsError: weights are missing or do not fit.
    """
    if model.weights.layout == "moco_v2":
        random = replace(model, weights=WeightsConfig(random_seed=0))
        network = build_classifier(random, weights_files=[]).network
        _load_moco_encoder(network, files, model.weights.entry)
    else:
        network = build_classifier(model, weights_files=files).network
    dimension = _remove_last_linear(network, model)
    return Backbone(
        network,
        mean=model.mean,
        std=model.std,
        dimension=dimension,
        precision=precision,
        forward_batch_size=forward_batch_size,
    )


class Backbone(nn.Module):
    """Pixels in, features out; in evaluation mode, and no parameter asks for a gradient."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        dimension: int,
        precision: str,
        forward_batch_size: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.dimension = dimension
        self.precision = precision
        self.forward_batch_size = forward_batch_size
        for key, values in (("mean", mean), ("std", std)):
            column = torch.tensor(values, dtype=torch.float32).view(3, 1, 1)
            self.register_buffer(key, column, persistent=False)
        self.eval().requires_grad_(False)

    @property
    def layout(self) -> torch.memory_format:
        """Of the network's weights and its input, where it is now."""
        return layout_of(self.mean.device, full_float32=self.precision == "fp32")

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Features of a batch.

        Args:
            images: uint8 `(m, 3, H, W)`, on any device; m may be 0.

        Returns:
            float32 `(m, dimension)` on the network's device.
        """
        found: list[Tensor] = []
        done = 0
        while done < len(images):
            part = images[done : done + self.forward_batch_size]
            failure: BaseException | None = None
            try:
                found.append(self._features(part))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failure = without_frames(error)
            if failure is None:
                done += len(part)
            else:
                self._halve(len(part), failure)
        return torch.cat(found) if found else self.mean.new_empty(0, self.dimension)

    def _features(self, images: Tensor) -> Tensor:
        device = self.mean.device
        pixels = images.to(device, non_blocking=True).float() / 255
        if device.type == "cuda":
            pixels = pixels.contiguous(memory_format=self.layout)
        with autocast(self.precision, device.type):
            features: Tensor = self.network((pixels - self.mean) / self.std)
        return features.float()

    def _halve(self, count: int, failure: BaseException) -> None:
        device = self.mean.device
        release(device)
        if count <= 1:
            raise ConfigError(
                f"device={device}: out of memory with one picture: {free_text(device)} "
                f"({one_line(failure, 200)}): free memory, or use another device"
            )
        self.forward_batch_size = count // 2
        log.warning(
            "out of memory with %d pictures, going on with forward_batch_size=%d: %s",
            *(count, self.forward_batch_size, one_line(failure, 200)),
        )


def _load_moco_encoder(network: nn.Module, files: Sequence[Path], entry: str | None) -> None:
    """The encoder's tensors; zeros for the classifier, which is removed."""
    own = network.state_dict()
    zeros = {k: torch.zeros_like(v) for k, v in own.items() if k in ("fc.weight", "fc.bias")}
    for file in files:
        encoder = loading.read_state_dict(file, entry=entry)
        loading.load(network, loading.moco_state_dict(encoder, zeros, head_file=file), path=file)


def _remove_last_linear(network: nn.Module, model: ModelConfig) -> int:
    """Replace it by an identity; returns the number of its inputs."""
    name, layer = _last_linear(network, model.name)
    _check_is_output(network, layer, name, model)
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, nn.Identity())
    return layer.in_features


def _last_linear(network: nn.Module, model: str) -> tuple[str, nn.Linear]:
    """What timm calls the classifier, else the linear layer that was registered last."""
    linear = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and name
    }
    if hasattr(network, "get_classifier"):
        classifier: Any = network.get_classifier()  # type: ignore[operator]
        linear = {name: module for name, module in linear.items() if module is classifier}
        if not linear:
            found = type(classifier).__name__
            raise ConfigError(f"model {model}: its classifier is a {found}, not one nn.Linear")
    if not linear:
        raise ConfigError(f"model {model}: its network has no nn.Linear to be replaced")
    name = list(linear)[-1]
    return name, linear[name]


def _check_is_output(network: nn.Module, layer: nn.Linear, name: str, model: ModelConfig) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def remember(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append((inputs[0], output))

    handle = layer.register_forward_hook(remember)
    with torch.no_grad():
        output = network(torch.zeros(2, 3, model.input_size, model.input_size))
    handle.remove()
    is_output = len(seen) == 1 and isinstance(output, Tensor) and torch.equal(seen[0][1], output)
    if not is_output or seen[0][0].ndim != 2:
        raise ConfigError(
            f"model {model.name}: its last nn.Linear ({name}) does not give the network's output, "
            "so a linear classifier cannot take its place"
        )
