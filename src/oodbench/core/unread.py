"""Keys of a model that are accepted and read by nothing: an error names what would work."""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from oodbench.core.errors import ConfigError
from oodbench.core.ids import TARGET

PARAMETERS = ("arch", "class_names", "pretrained", "prompts", "repository", "timm_name")
"""Keys that only the rest of a model's config can read, as `${.arch}`."""

FILE = "weights.file"
SEED = "weights.random_seed"


def model_file(config: DictConfig) -> str | None:
    """`weights.file`, where it is to be the model's: where the model's own config leaves it unread.

    Args:
        config: composed, its interpolations not resolved.

    Raises:
        ConfigError: the model has another file.
    """
    file = _value(config, FILE)
    if file is None or _is_read(config.model, FILE):
        return None
    own = _value(config.model, FILE)
    if own not in (None, file):
        raise ConfigError(
            f"{FILE}={file}: not read: this model's file is model.{FILE}={own}: set that one"
        )
    return str(file)


def refuse_unread(config: DictConfig) -> None:
    """Refuse a key of the model that nothing reads, and a file beside random weights.

    Args:
        config: composed, its interpolations not resolved.

    Raises:
        ConfigError: there is one.
    """
    model = config.model
    for name in PARAMETERS:
        value = _value(model, name)
        if value is not None and not _is_read(model, name):
            raise ConfigError(
                f"model.{name}={value}: not read: this model's network is fixed; for another one "
                f"use {' or '.join(_readers(name))} model.{name}={value}"
            )
    seed = _value(model, SEED)
    file = _value(model, FILE) or _value(config, FILE)
    if seed is not None and file is not None:
        raise ConfigError(
            f"{FILE}={file}: not read: model.{SEED}={seed} makes random weights: set one of them"
        )


def refuse_arguments_of_no_attack(attack: Mapping[str, Any]) -> None:
    """Refuse arguments of an attack where there is none.

    Args:
        attack: the resolved node.

    Raises:
        ConfigError: there is one.
    """
    unread = sorted(attack.keys() - {"name"})
    if TARGET not in attack and unread:
        raise ConfigError(
            f"attack.{unread[0]}={attack[unread[0]]}: not read: attack={attack['name']} is no "
            "attack; choose one: attack=NAME"
        )


def _value(node: DictConfig, key: str) -> Any:
    """None where it is missing, or cannot be resolved: that is said where the config is."""
    try:
        return OmegaConf.select(node, key)
    except OmegaConfBaseException:
        return None


def _is_read(node: DictConfig, key: str) -> bool:
    """Whether an interpolation in the node names the key."""
    named = re.compile(rf"[{{.]{re.escape(key)}\b")
    plain = OmegaConf.to_container(node, resolve=False)
    return any(named.search(text) for text in _interpolations(plain))


def _interpolations(node: Any) -> Iterator[str]:
    if isinstance(node, dict | list):
        for value in node.values() if isinstance(node, dict) else node:
            yield from _interpolations(value)
    elif isinstance(node, str) and "${" in node:
        yield node


def _readers(name: str) -> list[str]:
    """The shipped models that have the key."""
    configs = files("oodbench.conf").joinpath("model").iterdir()
    needed = re.compile(rf"^{name}: ", re.MULTILINE)
    names = [file.name for file in configs if file.name.endswith(".yaml")]
    texts = {n: files("oodbench.conf").joinpath("model", n).read_text("utf-8") for n in names}
    return sorted(
        f"model={n.removesuffix('.yaml')}" for n, text in texts.items() if needed.search(text)
    )
