"""Shipped model configs, and tensors for them, without Hydra."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

from oodbench.core.schema import ModelConfig

CONF = Path(__file__).parents[2] / "conf" / "model"


def shipped(name: str, **weights: Any) -> ModelConfig:
    node = OmegaConf.merge(OmegaConf.structured(ModelConfig), OmegaConf.load(CONF / f"{name}.yaml"))
    if name == "moco_v2":
        node.weights.head_file = None  # refers to the root of the config
    model = OmegaConf.to_object(OmegaConf.merge(node, {"weights": weights}))
    assert isinstance(model, ModelConfig)
    return model


def random_tensors(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    """Weights of a size that keeps activations finite; no two entries are equal."""
    generator = torch.Generator().manual_seed(seed)
    # Values are cut out of one strip: hundreds of millions of random numbers would take long.
    strip = torch.rand(1_000_003, generator=generator) * 2 - 1
    tensors = {}
    for number, (key, shape) in enumerate(shapes.items()):
        if key.endswith("num_batches_tracked"):
            tensors[key] = torch.tensor(number)
            continue
        size = math.prod(shape)
        start = 7919 * number % len(strip)
        turned = torch.cat([strip[start:], strip[:start]])
        values = turned.repeat(size // len(strip) + 1)[:size].reshape(shape)
        if len(shape) == 1:
            # Scales and variances around 1, shifts and means around 0.
            around = 1.0 if key.endswith(("running_var", "weight")) else 0.0
            tensors[key] = around + 0.3 * values
        else:
            tensors[key] = values * math.sqrt(3 / math.prod(shape[1:]))
    return tensors
