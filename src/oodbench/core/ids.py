"""Frozen ids of classes and functions, and where each of them lives now (`ids.yaml`).

A config may name a thing by its id or by its place. What builds it needs the place (`located`);
what outlives a rename, such as a key or a stored result, holds the id (`frozen`). A dotted name
that is in no table, such as a user's own class, is left as it is by both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from omegaconf import OmegaConf

from oodbench.core.errors import ConfigError

TARGET = "_target_"
SCORES = "scores"
"""Argument of a node that holds dotted names of scores."""


@dataclass(frozen=True)
class Place:
    """Where an id lives: a dotted name, and arguments that the id fixes."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@cache
def table() -> dict[str, dict[str, Place]]:
    """The places of all ids: by kind (benchmark, readout, score, …), then by id."""
    text = files(__package__).joinpath("ids.yaml").read_text(encoding="utf-8")
    content: Any = OmegaConf.to_container(OmegaConf.create(text))
    return {
        kind: {
            name: Place(entry.get("place", name), entry.get("arguments", {}))
            for name, entry in entries.items()
        }
        for kind, entries in content.items()
    }


def is_known(kind: str, name: object) -> bool:
    """Whether a dotted name is an id of this kind, or the place of one."""
    entries = table()[kind]
    return isinstance(name, str) and name in {*entries, *(p.name for p in entries.values())}


def located(value: Any) -> Any:
    """A config node, and the nodes within it, with importable places for ids.

    Raises:
        ConfigError: a node gives an argument another value than its id fixes it to.
    """
    return _each_node(value, _located_node)


def located_name(name: str) -> str:
    """Where a function lives that a config names by its dotted name."""
    place = _places().get(name)
    return place.name if place else name


def frozen(value: Any) -> Any:
    """A config node, and the nodes within it, with ids for every importable spelling.

    Arguments that an id fixes are left out; names of scores become ids too.

    Raises:
        ConfigError: a node gives an argument another value than its id fixes it to.
    """
    return _each_node(value, _frozen_node)


def frozen_name(name: str) -> str:
    """The id of a function that a config names by its dotted name."""
    return _id_of(located_name(name), {})[0]


def _each_node(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Change all dictionaries with a target, the inner ones first."""
    if isinstance(value, list):
        return [_each_node(item, change) for item in value]
    if not isinstance(value, dict):
        return value
    node = {key: _each_node(item, change) for key, item in value.items()}
    return change(node) if isinstance(node.get(TARGET), str) else node


def _located_node(node: dict[str, Any]) -> dict[str, Any]:
    name = node[TARGET]
    place = _places().get(name)
    if place is None:
        return node
    for argument, fixed in place.arguments.items():
        if node.get(argument, fixed) != fixed:
            raise ConfigError(
                f"{name}: has {argument}={fixed}, not {node[argument]}; for another one use "
                f"_target_={place.name}"
            )
    return {**node, TARGET: place.name, **place.arguments}


def _frozen_node(node: dict[str, Any]) -> dict[str, Any]:
    node = _located_node(node)
    name, fixed = _id_of(node[TARGET], node)
    kept = {key: item for key, item in node.items() if key not in fixed}
    if isinstance(scores := kept.get(SCORES), list):
        kept[SCORES] = [frozen_name(s) if isinstance(s, str) else s for s in scores]
    return {**kept, TARGET: name}


def _id_of(place: str, arguments: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The id of a place, of several the one that fixes most, and the arguments that it fixes."""
    fitting = [
        (name, known.arguments)
        for name, known in _places().items()
        if known.name == place and known.arguments.items() <= arguments.items()
    ]
    return max(fitting, key=lambda entry: len(entry[1]), default=(place, {}))


def _places() -> dict[str, Place]:
    return {name: place for entries in table().values() for name, place in entries.items()}
