"""Image classifiers of transformers, from their configuration and one safetensors file."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from oodbench.core.errors import ConfigError, WeightsError, one_line
from oodbench.core.extras import install_extra
from oodbench.models.loading import read_state_dict
from oodbench.models.shards import shards


class TransformersNetwork(nn.Module):
    """A classifier of transformers whose output is its logits alone."""

    def __init__(self, model: nn.Module, *, flip_channels: bool) -> None:
        """`flip_channels`: `model` takes BGR."""
        super().__init__()
        self.model = model
        self.flip_channels = flip_channels

    def forward(self, images: Tensor) -> Tensor:
        """Logits `(N, M)` of normalised images `(N, 3, H, W)`."""
        logits: Tensor = self.model(images.flip(1) if self.flip_channels else images).logits
        return logits


def transformers_network(
    *, config: str, flip_channels: bool = False, weights_file: str | None = None
) -> nn.Module:
    """An image classifier of transformers. No code of the repository is run.

    Args:
        config: content of its `config.json`, with `num_labels`.
        flip_channels: the network takes BGR.
        weights_file: `.safetensors` with all of its tensors, one of its shards or their index;
            transformers renames those of older versions on the way in. Default: random weights.

    Raises:
        ConfigError: transformers is not installed, or has no such classifier.
        WeightsError: the file is not a safetensors file, or does not fit.
    """
    kind = LibraryKind("AutoModelForImageClassification", "transformers", "image classifier")
    model = library_model(kind, config, weights_file)
    return TransformersNetwork(model, flip_channels=flip_channels)


class LibraryKind(NamedTuple):
    """What transformers is asked for: the class, and for messages the model's entry and a noun."""

    auto_class: str
    entry: str
    noun: str


def library_model(kind: LibraryKind, config: str, weights_file: str | None) -> Any:
    """A model of transformers, with the weights of a file or random ones.

    Args:
        kind: of the model.
        config: content of its `config.json`.
        weights_file: see `load_pretrained`; None: random weights.

    Raises:
        ConfigError: transformers is not installed, or has no such model.
        WeightsError: the file is not a safetensors file, or does not fit.
    """
    try:
        import transformers
    except ModuleNotFoundError:
        needed = f"model={kind.entry} needs that package too"
        raise ConfigError(f"{needed}: {install_extra('transformers')}") from None
    settings: dict[str, Any] = json.loads(config)
    model_type = settings.pop("model_type")
    auto: Any = getattr(transformers, kind.auto_class)
    # Without memory and without drawing numbers: most weights come from the file.
    device = torch.device("cpu" if weights_file is None else "meta")
    try:
        parsed = transformers.AutoConfig.for_model(model_type, **settings)
        with device:
            model = auto.from_config(parsed)
    except (ValueError, KeyError) as error:
        reason = one_line(error, 200)
        raise ConfigError(f"transformers has no {kind.noun} {model_type}: {reason}") from None
    return (
        model if weights_file is None else load_pretrained(type(model), parsed, Path(weights_file))
    )


def load_pretrained(network_class: Any, config: Any, path: Path) -> nn.Module:
    """A model of transformers with the weights of a file, which holds all of its tensors.

    Args:
        network_class: of transformers.
        config: of the model.
        path: `.safetensors`, one of its shards or their index.

    Raises:
        WeightsError: the file is no safetensors file, or does not fit.
    """
    from transformers.utils import logging

    library_log: Any = logging
    library_log.disable_progress_bar()
    if any(part.suffix != ".safetensors" for part in shards(path)):
        raise WeightsError(
            f"{path}: must be a .safetensors file, which cannot hold code: save the model again "
            "with save_pretrained(FOLDER)"
        )
    model, report = network_class.from_pretrained(
        None,
        config=config,
        # Half precision in a file would make a network of half precision.
        state_dict={
            key: tensor.float() if tensor.is_floating_point() else tensor
            for key, tensor in read_state_dict(path).items()
        },
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    problems = [
        f"{kind.removesuffix('_keys')} {len(report[kind])} ({min(map(str, report[kind]))}, ...)"
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
        if report.get(kind)
    ]
    if problems:
        raise WeightsError(f"{path}: does not fit the network: tensors {', '.join(problems)}")
    loaded: nn.Module = model
    return loaded
