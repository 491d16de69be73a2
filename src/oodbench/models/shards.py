"""Weights that are split over several files: `model-00001-of-00003.safetensors`. Imports no torch.

`model.safetensors.index.json` says which tensor is in which file. It, or any of the files, stands
for all of them.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from oodbench.core.cache import remembered_digest
from oodbench.core.errors import WeightsError, one_line

INDEX = ".index.json"
"""How the name of an index ends."""

_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\.\w+)")


def shards(path: Path) -> list[Path]:
    """The files that hold the weights, in their order: all shards, or the one file.

    Args:
        path: of a weights file, of a shard of one, or of the index of the shards.

    Raises:
        WeightsError: a shard is missing, by name, or the index is damaged or names something else
            than a file beside it.
    """
    if path.name.endswith(INDEX):
        names = _named_by(path)
    elif match := _SHARD.fullmatch(path.name):
        stem, _, count, suffix = match.groups()
        names = [f"{stem}-{k:05d}-of-{count}{suffix}" for k in range(1, int(count) + 1)]
    else:
        return [path]
    if path.name not in names and not path.name.endswith(INDEX):
        raise WeightsError(f"{path}: is no shard of {names[-1] if names else 'any file'}")
    missing = [name for name in names if not (path.parent / name).is_file()]
    if missing:
        named = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        raise WeightsError(
            f"{path}: {len(missing)} of {len(names)} shards are missing in {path.parent}: put "
            f"{named} there"
        )
    return [path.parent / name for name in names]


def shards_digest(path: Path, algorithm: str) -> str:
    """Checksum of weights in hex; of several shards that of their checksums, one on a line.

    Args:
        path: see `shards`.
        algorithm: of hashlib.

    Raises:
        WeightsError: as `shards`.
    """
    digests = [remembered_digest(part, algorithm) for part in shards(path)]
    if len(digests) == 1:
        return digests[0]
    return hashlib.new(algorithm, "".join(f"{digest}\n" for digest in digests).encode()).hexdigest()


def _named_by(index: Path) -> list[str]:
    """The files that an index names, sorted; each must lie beside it."""
    try:
        content: Any = json.loads(index.read_text(encoding="utf-8"))
        names = sorted(set(content["weight_map"].values()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"{index}: is no index of shards ({one_line(error, 100)}): get it again"
        ) from None
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[^/\\\0:]+", name) or name[0] == ".":
            raise WeightsError(f"{index}: names {name!r}, which is no file beside it: refused")
    if not names:
        raise WeightsError(f"{index}: names no shards: get it again")
    return names
