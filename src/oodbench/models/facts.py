"""What model configs look up: `${timm_fact:NAME,FIELD}`, `${torchvision_fact:NAME,FIELD}`.

The libraries take seconds to import and a finished run must be skipped without them, so what they
say about a model is stored on disk, once for each library version and model.
"""

import math
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib.metadata import version
from typing import Any

from omegaconf import OmegaConf

from oodbench.errors import ConfigError
from oodbench.files import cached_json
from oodbench.paths import cache_directory

Facts = dict[str, Any]


def register_resolvers() -> None:
    """Make the resolvers known to OmegaConf. May be called again."""
    OmegaConf.register_new_resolver("timm_fact", timm_fact, replace=True)
    OmegaConf.register_new_resolver("torchvision_fact", torchvision_fact, replace=True)
    OmegaConf.register_new_resolver("required", required, replace=True)


def required(value: Any, key: str) -> Any:
    """`value`, or an error that names the key which the user has to give.

    Raises:
        ConfigError: the value is null.
    """
    if value is None:
        raise ConfigError(f"{key} is missing: this model needs {key}=VALUE")
    return value


def timm_fact(name: str | None, field: str) -> Any:
    """How timm evaluates a pretrained model.

    Args:
        name: timm's name, with or without the tag of the weights ("resnet50.tv_in1k").
        field: input_size (pixels, timm's test size where it has one), crop_pct, interpolation,
            mean, std (three floats each), hf_hub_id (repository of the weights or None).

    Raises:
        ConfigError: no such model, not 1000 classes, or an unknown field.
    """
    return _fact("timm", required(name, "model.timm_name"), field, _ask_timm)


def torchvision_fact(name: str | None, field: str) -> Any:
    """How torchvision evaluates the default weights of a model.

    Args:
        name: torchvision's name ("resnet50").
        field: url, hash ("sha256:" and the prefix in the file name), input_size (pixels),
            crop_pct (crop over resize), interpolation, mean, std (three floats each).

    Raises:
        ConfigError: torchvision has no such classifier or the field is unknown.
    """
    return _fact("torchvision", required(name, "model.name"), field, _ask_torchvision)


def unknown_name(library: str, name: str, known: list[str]) -> ConfigError:
    """The error for a name that the library does not have, with the names nearest to it."""
    close = ", ".join(get_close_matches(name, known, n=3)) or "none"
    return ConfigError(f"{library} has no model {name}; close names: {close}")


def _fact(library: str, name: str, field: str, ask: Callable[[str], Facts]) -> Any:
    # Anything else is no name of either library, and must not become part of a path.
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(f"{library} has no model {name}: a name has letters, digits, _ . and -")
    path = cache_directory() / "facts" / f"{library}-{version(library)}" / f"{name}.json"
    facts = cached_json(path, lambda: ask(name))
    if field not in facts:
        raise ConfigError(f"{library}_fact: unknown field {field}; available: {', '.join(facts)}")
    return facts[field]


def _ask_timm(name: str) -> Facts:
    import timm

    try:
        found = timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError:
        raise unknown_name("timm", name, timm.list_models(pretrained=True)) from None
    config: Mapping[str, Any] = vars(found)
    if config["num_classes"] != 1000:
        raise ConfigError(f"timm model {name} has {config['num_classes']} classes, not 1000")
    # The size and crop of timm's own results are the test ones, where a model has them.
    size = config["test_input_size"] or config["input_size"]
    return {
        "input_size": _square_side(name, size[-2:]),
        "crop_pct": config["test_crop_pct"] or config["crop_pct"],
        "interpolation": config["interpolation"],
        "mean": list(config["mean"]),
        "std": list(config["std"]),
        "hf_hub_id": config["hf_hub_id"],
    }


def _square_side(name: str, size: tuple[int, int]) -> int:
    if size[0] != size[1]:
        raise ConfigError(f"timm model {name} takes {size[0]}x{size[1]} pictures, not square ones")
    return size[0]


def _ask_torchvision(name: str) -> Facts:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise unknown_name("torchvision", name, known)
    weights = models.get_model_weights(name)["DEFAULT"]
    transform = weights.transforms()
    crop, resize = transform.crop_size[0], transform.resize_size[0]
    return {
        "url": weights.url,
        "hash": f"sha256:{weights.url.rsplit('-', 1)[-1].removesuffix('.pth')}",
        "input_size": crop,
        # Rounded down, so that floor(crop / crop_pct) is the resize size again.
        "crop_pct": math.floor(crop / resize * 1e6) / 1e6,
        "interpolation": transform.interpolation.value,
        "mean": list(transform.mean),
        "std": list(transform.std),
    }
