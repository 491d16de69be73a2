"""Which installed distribution a module belongs to, found without importing it."""

import hashlib
import re
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from pathlib import Path
from typing import Any

from oodbench.core.cache import cache_directory, cached_json

FOLDERS = ("site-packages", "dist-packages")
"""Where installers put modules; those of an editable installation lie elsewhere."""

ITSELF = "oodbench"


def is_installed(place: Path) -> bool:
    """Whether a module at this place was put there by an installer, not editable."""
    return any(folder in place.parts for folder in FOLDERS)


def distribution_of(module: str) -> str | None:
    """`name version` of the distribution that a top-level module comes with, None where none is
    known.
    """
    for name in (*_facts()["owners"].get(module, ()), module):
        try:
            return f"{_normal(name)} {version(name)}"
        except PackageNotFoundError:
            continue
    return None


def is_dependency(module: str, place: Path | None) -> bool:
    """Whether a top-level module is a part of what oodbench requires, extras included.

    Args:
        module: its name.
        place: its file. One that was put there by no installer only has its name.
    """
    facts = _facts()
    owners = facts["owners"].get(module, ()) if place is None or is_installed(place) else ()
    return any(_normal(name) in facts["dependencies"] for name in (*owners, module))


def _facts() -> dict[str, Any]:
    """Distributions by top-level module, and those that oodbench requires.

    It takes a second to find them, so they are remembered until something is installed.
    """
    stamps = [*sys.path]
    for folder in map(Path, sys.path):
        if folder.name in FOLDERS and folder.is_dir():
            stamps.append(str(folder.stat().st_mtime_ns))
    return _facts_at("\n".join(stamps))


@cache
def _facts_at(stamp: str) -> dict[str, Any]:
    digest = hashlib.sha256(stamp.encode("utf-8", "surrogateescape")).hexdigest()
    found: Any = cached_json(cache_directory() / "installed" / f"{digest}.json", _found)
    return dict(found)


def _found() -> dict[str, Any]:
    owners = {module: sorted(set(names)) for module, names in packages_distributions().items()}
    return {"owners": owners, "dependencies": sorted(_dependencies())}


def _dependencies() -> set[str]:
    """Distributions that oodbench requires, with all its extras, and those that these require."""
    found: set[str] = set()
    left = [ITSELF]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = requires(name) or ()
        except PackageNotFoundError:
            continue
        for requirement in needed:
            match = re.match(r"[A-Za-z0-9._-]+", requirement)
            if match and (name == ITSELF or "extra ==" not in requirement):
                left.append(_normal(match[0]))
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
