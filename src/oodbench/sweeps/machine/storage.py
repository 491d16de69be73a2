"""Disks and caches: what is free, how much is kept, and how to clear it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from oodbench.core.cache import cache_directory
from oodbench.core.files import GIB
from oodbench.core.schema import DataConfig, EngineConfig
from oodbench.sweeps.machine.findings import Finding

_LITTLE = GIB
"""With less free, a sweep's records may not fit."""


def disks(data_root: Path, output_root: Path) -> Iterator[Finding]:
    """Free room where pictures, results and caches are."""
    places = {"pictures": data_root, "results": output_root, "caches": cache_directory()}
    for name, path in places.items():
        there = _existing(path)
        free = shutil.disk_usage(there).free
        said = f"{path}{'' if path.exists() else ' (not there yet)'}: {free / GIB:.0f} GiB free"
        writes = name != "pictures"
        if writes and not os.access(there, os.W_OK):
            yield Finding(name, "bad", f"{said}, may not be written", f"chmod u+w {there}")
        elif writes and free < _LITTLE:
            yield Finding(name, "bad", said, "make room")
        else:
            yield Finding(name, "ok", said)


def caches() -> Iterator[Finding]:
    """What is kept to save time; all of it may be deleted."""
    places = {
        "listings, hashes": cache_directory(),
        "exported models": Path(EngineConfig().cache_dir),
        "decoded pictures": Path(DataConfig().cache_dir),
        "hugging face": _hub_cache(),
    }
    for name, path in places.items():
        if path.is_dir():
            said = f"{path}: {_size_text(_size(path))}"
            clear = "hf cache prune" if path == _hub_cache() else f"rm -r {path}"
            yield Finding(name, "ok", said, f"to clear it: {clear}")
        else:
            yield Finding(name, "ok", f"{path}: empty")


def _hub_cache() -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above that is there."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def _size_text(n_bytes: int) -> str:
    return f"{n_bytes / GIB:.1f} GiB" if n_bytes >= GIB else f"{n_bytes / 1e6:.0f} MB"


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(os.path.join(place, name))  # noqa: PTH118
            total += status.st_size
    return total
