"""Turn a config node with `_target_` into an object, with readable errors."""

import inspect
from difflib import get_close_matches
from typing import Any

from hydra.utils import get_object, instantiate

from oodbench.core.errors import ConfigError, OodbenchError


def build(node: dict[str, Any], key: str) -> Any:
    """Instantiate `node` (and nodes within it).

    Args:
        node: a mapping with `_target_`, the dotted name of a class or function.
        key: where the node stands in the config, for messages.

    Raises:
        ConfigError: the target cannot be imported, an argument is unknown, missing or refused.
    """
    check_arguments(node, key)
    try:
        return instantiate(node, _convert_="all")
    except OodbenchError:
        raise
    except Exception as error:
        if isinstance(error.__cause__, OodbenchError):
            raise error.__cause__ from None
        reason = error.__cause__ or error
        said = " ".join(str(reason).split())
        raise ConfigError(
            f"{key}: {node['_target_']} failed: {type(reason).__name__}: {said}"
        ) from error


def check_arguments(node: dict[str, Any], key: str) -> None:
    """Refuse an argument that the target does not take, and a required one that is not given."""
    target = node.get("_target_")
    if not target:
        raise ConfigError(f"{key}._target_ is missing: the dotted name of a class or function")
    try:
        constructor = get_object(target)
    except Exception as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise ConfigError(f"{key}._target_={target}: cannot be imported: {reason}") from error
    try:
        parameters = inspect.signature(constructor).parameters
    except ValueError:
        raise ConfigError(f"{key}._target_={target}: takes no named arguments") from None
    given = {name for name in node if not (name.startswith("_") and name.endswith("_"))}
    kinds = {parameter.kind for parameter in parameters.values()}
    names = [
        name
        for name, parameter in parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        _refuse_unknown(key, given, names)
    for name in names:
        if parameters[name].default is inspect.Parameter.empty and name not in given:
            raise ConfigError(f"{key}.{name} is missing: {target} needs it")


def _refuse_unknown(key: str, given: set[str], names: list[str]) -> None:
    for name in sorted(given - set(names)):
        close = get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ConfigError(f"unknown key {key}.{name}: {hint}available: {', '.join(names)}")


def bound_arguments(node: dict[str, Any], key: str) -> dict[str, Any]:
    """Arguments of a node with the target's defaults filled in, so that two spellings are equal."""
    check_arguments(node, key)
    parameters = inspect.signature(get_object(node["_target_"])).parameters
    defaults = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    return {**defaults, **node}
