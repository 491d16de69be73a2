"""Turn a config node with `_target_` into an object, with readable errors."""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from hydra.utils import get_object, instantiate

from oodbench.core.argument_types import expected, hints
from oodbench.core.checking import alternatives
from oodbench.core.errors import ConfigError, OodbenchError, one_line
from oodbench.core.ids import TARGET, located, located_name
from oodbench.core.names import shown


def build(node: dict[str, Any], key: str) -> Any:
    """Instantiate `node` (and nodes within it).

    Args:
        node: a mapping with `_target_`, the dotted name of a class or function, or its frozen id.
        key: where the node stands in the config, for messages.

    Raises:
        ConfigError: the target cannot be imported, an argument is unknown, missing or refused.
    """
    node = located(node)
    check_arguments(node, key)
    try:
        return instantiate(node, _convert_="all")
    except OodbenchError:
        raise
    except Exception as error:
        if isinstance(error.__cause__, OodbenchError):
            raise error.__cause__ from None
        reason = error.__cause__ or error
        raise ConfigError(
            f"{key}: {node['_target_']} failed: {type(reason).__name__}: {one_line(reason)}"
        ) from error


def check_arguments(node: dict[str, Any], key: str) -> None:
    """Refuse an argument that the target does not take, and a required one that is not given."""
    node = located(node)
    target = node.get(TARGET)
    if not target:
        raise ConfigError(f"{key}._target_ is missing: the dotted name of a class or function")
    if not isinstance(target, str):
        raise ConfigError(
            f"{key}._target_={target}: must be the dotted name of a class or function"
        )
    try:
        constructor = get_object(target)
    except Exception as error:
        reason = one_line(error.__cause__ or error)
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
    _refuse_other_types(key, node, hints(constructor))


def _refuse_other_types(key: str, node: dict[str, Any], known: Mapping[str, Any]) -> None:
    for name in node.keys() & known.keys():
        value = node[name]
        built = isinstance(value, dict) and TARGET in value
        if not built and (words := expected(value, known[name])):
            raise ConfigError(f"{key}.{name}={shown(value)}: must be {words}")


def _refuse_unknown(key: str, given: set[str], names: list[str]) -> None:
    for name in sorted(given - set(names)):
        raise ConfigError(f"unknown key {key}.{name}: {alternatives(name, names)}")


def bound_arguments(node: dict[str, Any], key: str) -> dict[str, Any]:
    """Arguments of a node with the target's defaults filled in, so that two spellings are equal."""
    node = located(node)
    check_arguments(node, key)
    parameters = inspect.signature(get_object(node[TARGET])).parameters
    defaults = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    return {**defaults, **node}


def by_content(value: Any, *, checksums: bool = False) -> Any:
    """A config node, and the nodes within it, that says what its files say instead of their paths.

    A class lists such arguments as `counted_by_content`: argument -> function of the given value,
    which returns the name of what is known, or the content as a list of words.

    Args:
        value: a node whose targets can be imported.
        checksums: `sha256:<hex>` of the words, joined by spaces, for a list.
    """
    if isinstance(value, list):
        return [by_content(item, checksums=checksums) for item in value]
    if not isinstance(value, dict):
        return value
    node = {name: by_content(item, checksums=checksums) for name, item in value.items()}
    for name, content_of in _counted_by_content(node).items():
        if name in node:
            content = content_of(node[name])
            node[name] = _checksum(content) if checksums else content
    return node


def _counted_by_content(node: dict[str, Any]) -> Mapping[str, Callable[[Any], str | list[str]]]:
    if TARGET not in node:
        return {}
    found: Mapping[str, Callable[[Any], str | list[str]]] = getattr(
        get_object(located_name(node[TARGET])), "counted_by_content", {}
    )
    return found


def _checksum(content: str | list[str]) -> str:
    if isinstance(content, str):
        return content
    return f"sha256:{hashlib.sha256(' '.join(content).encode()).hexdigest()}"
