"""What a training script puts before the names of a network's tensors: `backbone.`, `model.`, …"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from oodbench.models.entries import (
    HALF,
    StateDict,
    best_prefixes,
    count_numbers,
    several,
    similar,
)

log = logging.getLogger(__name__)


def without_prefix(wanted: Sequence[str], tensors: StateDict, *, path: Path) -> StateDict:
    """The tensors by the network's names, where all of these stand in the file after one prefix.

    What does not begin with it is left out, and a line in the log says so.

    Args:
        wanted: names in the network, those that may be missing not among them.
        tensors: of the file.
        path: for messages.

    Returns:
        The tensors as they are where the network's names are there, or no prefix fits.

    Raises:
        WeightsError: the file holds a second set of weights after another prefix.
    """
    found = best_prefixes(wanted, tensors)
    if not wanted or found[""] == len(wanted):
        return tensors
    whole = [prefix for prefix, count in found.items() if count == len(wanted)]
    if not whole:
        return tensors
    prefix = max(whole, key=len)
    kept = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    others = {k: v for k, v in tensors.items() if not k.startswith(prefix)}
    rivals = {p for p, count in found.items() if count >= HALF * len(wanted)}
    rivals |= _as_large(others, count_numbers(kept.values()))
    if others_named := sorted(rivals - {prefix}):
        raise several(path, [name.removesuffix(".") for name in (prefix, *others_named)])
    rest = f"; {len(others)} tensors without it are left out ({', '.join(list(others)[:2])}, …)"
    log.info(
        "%s: its names begin with %s, which is taken off%s", path, prefix, rest if others else ""
    )
    return kept


def nearly(wanted: Sequence[str], tensors: StateDict) -> str:
    """End of an error message where a prefix is before most of the wanted names, else ""."""
    found = best_prefixes(wanted, tensors)
    prefix, count = max(found.items(), key=lambda item: item[1], default=("", 0))
    if not prefix or count < HALF * len(wanted):
        return ""
    missing = [name for name in wanted if prefix + name not in tensors]
    return f"; after {prefix} it has all but {len(missing)} of them ({missing[0]}, …)"


def _as_large(tensors: StateDict, size: int) -> set[str]:
    """First parts of names after which there are about as many numbers."""
    sizes: dict[str, int] = defaultdict(int)
    for name, tensor in tensors.items():
        sizes[name.split(".")[0] + "."] += tensor.numel()
    return {first for first, count in sizes.items() if similar(count, size)}
