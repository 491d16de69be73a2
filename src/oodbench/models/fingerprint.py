"""What a network is that was made in Python, and that no config describes: a hash of all it holds.

Of networks with the same hash and the same code the outputs are the same. Where it is not certain
that the hash says everything, that is said instead.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_OF_TORCH = frozenset(vars(nn.Module()))
"""Attributes that every module has."""

_COUNTED = ("_parameters", "_buffers", "_modules", "_forward_pre_hooks", "_forward_hooks")
"""Those of them that the outputs depend on. Not `training`: networks are evaluated as such."""

_PLAIN = (bool, int, float, complex, str, bytes, type(None), Enum, PurePath, range, torch.dtype)
_IDLE = (torch.device,)
"""Values that change no output beyond rounding."""

_MOST = 200_000
"""Values; an object that leads to more holds something else than a network."""


@dataclass(frozen=True)
class Fingerprint:
    """What is known of a network.

    Attributes:
        sha256: of all weights, and of all other values that it and its parts hold, in hex.
        code: modules and names of the classes and functions that it is made of, dotted, sorted.
        unknown: attributes whose values cannot be told, such as `layers.0.lookup`; usually none.
    """

    sha256: str
    code: tuple[str, ...]
    unknown: tuple[str, ...]


def fingerprint(network: nn.Module) -> Fingerprint:
    """The fingerprint of a network, whatever mode and device it is in."""
    walk = _Walk()
    walk.add("", network)
    return Fingerprint(walk.digest.hexdigest(), tuple(sorted(walk.code)), tuple(walk.unknown))


class _Walk:
    """Visits all values that a network holds, each once, in an order of their names."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.code: set[str] = set()
        self.unknown: list[str] = []
        self._number: dict[int, int] = {}
        self._alive: list[Any] = []  # or another object could get the number of one that is gone

    def add(self, place: str, value: Any) -> None:
        """Count a value that is at a place."""
        if isinstance(value, _IDLE):
            return
        if isinstance(value, _PLAIN):
            self._say(place, type(value).__name__, repr(value))
        elif isinstance(value, Tensor | np.ndarray | np.generic):
            self._array(place, value)
        elif id(value) in self._number:
            self._say(place, "as", str(self._number[id(value)]))
        elif len(self._number) >= _MOST:
            self._give_up(place)
        else:
            self._number[id(value)] = len(self._number)
            self._alive.append(value)
            self._compound(place, value)

    def _compound(self, place: str, value: Any) -> None:
        if isinstance(value, Mapping):
            self._say(place, type(value).__name__)
            for key, item in value.items():
                self.add(f"{place}.{key}", item)
        elif isinstance(value, set | frozenset):
            self._say(place, type(value).__name__, *sorted(map(repr, value)))
        elif isinstance(value, list | tuple):
            self._say(place, type(value).__name__)
            for number, item in enumerate(value):
                self.add(f"{place}.{number}", item)
        elif isinstance(value, type | FunctionType | BuiltinFunctionType | MethodType | partial):
            self._callable(place, value)
        elif hasattr(value, "__dict__"):
            self._object(place, value)
        else:
            self._give_up(place)

    def _callable(self, place: str, value: Any) -> None:
        if isinstance(value, partial):
            self.add(place, [value.func, value.args, value.keywords])
        elif isinstance(value, MethodType):
            self.add(place, [value.__func__, value.__self__])
        else:
            self._named(place, value)
            if isinstance(value, FunctionType):
                self._function(place, value)

    def _function(self, place: str, function: FunctionType) -> None:
        """What a function holds beside the code of its module, for lambdas and inner functions."""
        if "<" in function.__qualname__:
            self._say(place, *_instructions(function.__code__))
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        self.add(place, [function.__defaults__, function.__kwdefaults__, cells])

    def _object(self, place: str, value: Any) -> None:
        self._named(place, type(value))
        for name, item in _attributes(value):
            self.add(f"{place}.{name}" if place else name, item)

    def _named(self, place: str, value: Any) -> None:
        """Count a class or function by its name."""
        module, name = str(value.__module__), str(value.__qualname__)
        self._say(place, module, name)
        self.code.add(f"{module}.{name.partition('.')[0]}")

    def _array(self, place: str, value: Any) -> None:
        try:
            tensor = torch.as_tensor(value).detach().cpu().resolve_conj().resolve_neg()
            content = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data
        except (RuntimeError, TypeError, ValueError, NotImplementedError):
            self._give_up(place)  # sparse, quantised, of text, or not there yet
            return
        self._say(place, str(tensor.dtype), str(tuple(tensor.shape)))
        self.digest.update(content)

    def _give_up(self, place: str) -> None:
        self.unknown.append(".".join(part for part in place.split(".") if part not in _COUNTED))

    def _say(self, *words: str) -> None:
        text = "\0".join(words)
        self.digest.update(f"{len(text)}\0{text}\n".encode("utf-8", "backslashreplace"))


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds, in an order of its own: of a module, in that of its parts."""
    held = vars(value)
    if not isinstance(value, nn.Module):
        yield from sorted(held.items())
        return
    for name in _COUNTED:
        parts = held.get(name) or {}
        yield name, list(parts.values()) if name.endswith("_hooks") else dict(parts)
    yield from sorted((name, item) for name, item in held.items() if name not in _OF_TORCH)


def _instructions(code: CodeType) -> Iterable[str]:
    yield code.co_code.hex()
    yield repr(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _instructions(constant)
        else:
            yield repr(constant)
