"""Which of a checkpoint's entries holds the weights: training scripts put them beside other things.

A file with two sets, such as the raw weights and their running average, is refused unless the
config names one: they differ in accuracy, and nothing in the file says which was meant.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from oodbench.core.errors import WeightsError

log = logging.getLogger(__name__)

StateDict = dict[str, Tensor]

SIMILAR = (0.8, 1.25)
"""Parameters of two sets, relative to each other, between which they may be of one network: the
running average often lacks buffers."""

HALF = 0.5
"""Of the network's names, from which on a set may be meant for it."""

_MOST_NAMED = 6


def state_dict_of(
    content: Any, *, path: Path, entry: str | None = None, wanted: Iterable[str] = ()
) -> StateDict:
    """The one set of weights in what a file holds, or the one that is named.

    Args:
        content: dictionaries in dictionaries, tensors in the innermost.
        path: for messages.
        entry: `model.weights.entry`: keys joined by dots, of a dictionary, or of one and then what
            names of tensors in it begin with.
        wanted: names in the network, which tell its weights from those of others; may be empty.

    Raises:
        WeightsError: there is no set of tensors, there are several, or none of that name.
    """
    sets = dict(_sets(content, ()))
    if entry is not None:
        return _named(sets, entry, path)
    if not sets:
        found = f" (its entries: {_listed(content)})" if isinstance(content, Mapping) else ""
        raise WeightsError(f"{path}: holds no state dict{found}: save one, net.state_dict()")
    meant = _meant(sets, list(wanted))
    if len(meant) > 1:
        raise several(path, meant)
    if meant[0]:
        log.info("%s: the weights are those of its entry %s", path, meant[0])
    return sets[meant[0]]


def several(path: Path, names: Sequence[str]) -> WeightsError:
    """The error for a file with more sets of weights than one."""
    return WeightsError(
        f"{path}: holds several sets of weights ({_listed(names)}), such as raw ones and their "
        "running average: choose one with model.weights.entry=NAME"
    )


def best_prefixes(wanted: Sequence[str], names: Iterable[str]) -> Counter[str]:
    """What the names begin with that end as wanted ones do -> how many they are.

    Args:
        wanted: names in the network.
        names: in a file; `backbone.conv.weight` ends as `conv.weight` does, after `backbone.`.
    """
    known = frozenset(wanted)
    found: Counter[str] = Counter()
    for name in names:
        parts = name.split(".")
        for depth in range(len(parts)):
            if ".".join(parts[depth:]) in known:
                found[".".join([*parts[:depth], ""]) if depth else ""] += 1
    return found


def count_numbers(tensors: Iterable[Tensor]) -> int:
    """How many numbers tensors hold."""
    return sum(tensor.numel() for tensor in tensors)


def similar(one: int, other: int) -> bool:
    """Whether two sets with so many numbers may be of one network."""
    return SIMILAR[0] * other <= one <= SIMILAR[1] * other


def _sets(content: Any, at: tuple[str, ...]) -> Iterator[tuple[str, StateDict]]:
    """(keys joined by dots, tensors) of everything that could be a state dict."""
    if isinstance(content, list | tuple):
        content = dict(zip(map(str, range(len(content))), content, strict=True))
        if not _is_set(content):
            return
    if not isinstance(content, Mapping):
        return
    if _is_set(content):
        yield ".".join(at), dict(content)
        return
    for key, value in content.items():
        if isinstance(key, str):
            yield from _sets(value, (*at, key))


def _is_set(content: Mapping[Any, Any]) -> bool:
    """Tensors by their names, not all of them single numbers."""
    tensors = [value for value in content.values() if isinstance(value, Tensor)]
    names = all(isinstance(key, str) for key in content)
    return names and len(tensors) == len(content) and any(tensor.ndim for tensor in tensors)


def _named(sets: Mapping[str, StateDict], entry: str, path: Path) -> StateDict:
    below = [name for name in sets if name.startswith(f"{entry}.")]
    if entry in sets or len(below) == 1:
        return sets[entry if entry in sets else below[0]]
    for name, tensors in sets.items():
        if not name or entry.startswith(f"{name}."):
            start = entry[len(name) + 1 if name else 0 :] + "."
            if found := {k[len(start) :]: v for k, v in tensors.items() if k.startswith(start)}:
                return found
    firsts = {key.split(".")[0] for key in sets.get("", {})}
    raise WeightsError(
        f"{path}: model.weights.entry={entry}: it has no one such entry; available: "
        f"{_listed(below or [*filter(None, sets)] or sorted(firsts))}"
    )


def _meant(sets: Mapping[str, StateDict], wanted: list[str]) -> list[str]:
    """Names of the sets that may be the network's weights, at least one."""
    sizes = {name: count_numbers(tensors.values()) for name, tensors in sets.items()}
    shares = {name: _share(tensors, wanted) for name, tensors in sets.items()}
    first = max(sets, key=lambda name: (shares[name], sizes[name]))
    if shares[first] < HALF:  # names say nothing: what is large
        largest = max(sizes.values())
        return [name for name, size in sizes.items() if size >= HALF * largest]
    return [
        name
        for name in sets
        if shares[name] >= HALF or similar(sizes[name], sizes[first]) or name == first
    ]


def _share(tensors: StateDict, wanted: list[str]) -> float:
    """Of the wanted names, how many are there after the best prefix."""
    if not wanted:
        return 0.0
    return max(best_prefixes(wanted, tensors).values(), default=0) / len(wanted)


def _listed(names: Iterable[Any]) -> str:
    shown = [str(name) for name in names]
    return ", ".join(shown[:_MOST_NAMED]) + (", …" if len(shown) > _MOST_NAMED else "")
