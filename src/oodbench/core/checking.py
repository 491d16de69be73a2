"""Checks of composed configs, with errors that name the key and what would be right."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from math import isfinite
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from oodbench.core.errors import ConfigError, first_line
from oodbench.core.ids import TARGET

Schema = TypeVar("Schema")


def merged(config: DictConfig, schema: type[Schema]) -> Schema:
    """A composed config as an object of its dataclass.

    The plain container is merged into the schema, because Hydra accepts unknown keys that are
    written with `+`.

    Raises:
        ConfigError: an unknown key, a wrong type or a missing value.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        refuse_odd_values(plain)
        checked = OmegaConf.to_object(OmegaConf.merge(_node(schema), plain))
    except ConfigKeyError as error:
        raise ConfigError(_unknown_key(error)) from None
    except OmegaConfBaseException as error:
        raise ConfigError(_first_line(error)) from None
    if not isinstance(checked, schema):
        raise ConfigError(f"the config is no {schema.__name__}")
    return checked


def refuse_odd_values(value: Any, key: str = "") -> None:
    """Refuse what no key can mean: NaN, infinity, integers of more than 63 bits, and a `_target_`
    that is no text.

    Args:
        value: a plain config, or a part of one.
        key: of the part.

    Raises:
        ConfigError: there is one, by its key.
    """
    if isinstance(value, dict):
        if not isinstance(value.get(TARGET, ""), str):
            raise ConfigError(f"{key}.{TARGET}={value[TARGET]}: must be a dotted name")
        for name, item in value.items():
            refuse_odd_values(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            refuse_odd_values(item, f"{key}[{index}]")
    elif isinstance(value, float) and not isfinite(value):
        raise ConfigError(f"{key}={value}: must be a finite number")
    elif isinstance(value, int) and abs(value) >= _LARGEST:
        raise ConfigError(f"{key}={str(value)[:30]}…: too large a number")


_LARGEST = 2**63

_nodes: dict[type[Any], DictConfig] = {}


def _node(schema: type[Any]) -> DictConfig:
    """The dataclass as a node, which OmegaConf copies before it merges into it."""
    if schema not in _nodes:
        _nodes[schema] = OmegaConf.structured(schema)
    return _nodes[schema]


def one_of(key: str, value: str, allowed: Iterable[str]) -> None:
    """Refuse a value that is not one of those allowed."""
    if value not in allowed:
        raise ConfigError(f"{key}={value}: available: {', '.join(allowed)}")


def at_least(key: str, value: float, least: float) -> None:
    """Refuse a smaller value, and NaN."""
    if not value >= least:
        raise ConfigError(f"{key}={value}: must be at least {least}")


def within(key: str, value: float, least: float, most: float) -> None:
    """Refuse a smaller or larger value."""
    at_least(key, value, least)
    if value > most:
        raise ConfigError(f"{key}={value}: must be at most {most}")


def check_normalisation(where: str, mean: Sequence[float], std: Sequence[float]) -> None:
    """Refuse a normalisation that is none of three channels of pixels in [0, 1].

    Args:
        where: what a message says before `mean=` and `std=`, such as "model.".
        mean, std: in units of [0, 1]; a std of 1 leaves the pixels as they are.

    Raises:
        ConfigError: another count, a value that is no number, a std that is not above 0, or values
            above 1, such as those of pixels from 0 to 255.
    """
    for name, values in (("mean", mean), ("std", std)):
        given = f"{where}{name}={_listed(values)}"
        if len(values) != 3 or not all(isfinite(value) for value in values):
            raise ConfigError(f"{given}: give three numbers, one for each channel")
        if max(values) > 1:
            divided = _listed([float(f"{value / 255:.4g}") for value in values])
            raise ConfigError(
                f"{given}: pixels are in [0, 1] here, not in 0 to 255: divide by 255, "
                f"{name}={divided}"
            )
    if min(std) <= 0:
        raise ConfigError(f"{where}std={_listed(std)}: give three numbers above 0")


def _listed(values: Sequence[float]) -> str:
    """As the command line takes it."""
    return f"[{','.join(map(str, values))}]"


def alternatives(name: str, available: Iterable[str]) -> str:
    """End of a message about an unknown name: the nearest one, and all."""
    names = list(available)
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}available: {', '.join(names)}"


def _unknown_key(error: ConfigKeyError) -> str:
    key = str(error.full_key or error.key)
    fields = sorted(getattr(error.object_type, "__dataclass_fields__", {}))
    if not fields:
        return _first_line(error)
    return f"unknown key {key}: {alternatives(key.rsplit('.', 1)[-1], fields)}"


def _first_line(error: OmegaConfBaseException) -> str:
    message = first_line(error).removeprefix("ConfigError raised while resolving interpolation: ")
    key = error.full_key
    return f"{key}: {message}" if key and key not in message else message
