"""The user's own code that a config names, and what it is: found without importing it.

A config names code by dotted names: `_target_`, and any other text that is one, such as a function
that a class imports. What is neither oodbench's, Python's nor a dependency's is the user's: of its
source the syntax trees count, of an installed package name and version.
"""

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from oodbench.core.cache import remembered_digest
from oodbench.core.errors import ConfigError
from oodbench.core.ids import TARGET, frozen
from oodbench.core.own_code.installed import ITSELF, distribution_of, is_dependency, is_installed
from oodbench.core.own_code.source_files import source_of

CODE = "_code_"
"""Field of a key that holds the identities; no argument of a class has such a name."""

_DOTTED = re.compile(r"[^\W\d]\w*(?:[.:][^\W\d]\w*)+")

Identities = dict[str, str | None]
"""By module or package; None where there is no source."""

_seen: dict[str, tuple[ModuleSpec | None, str]] = {}
"""By module: how it was imported, None where it was not yet, and its digest then."""


def code_field(node: Any, identity: str | None) -> dict[str, Any]:
    """`{"_code_": …}` of a config node; empty where it names no code of the user's.

    Args:
        node: a config node, and the nodes within it.
        identity: a name that the user gives their code, which stands for all of it.

    Raises:
        ConfigError: code has changed since this process imported it.
    """
    found = identities(node)
    return {CODE: identity or found} if found else {}


def identities(node: Any) -> Identities:
    """What the user's own code is that a config node names.

    Raises:
        ConfigError: code has changed since this process imported it.
    """
    found: Identities = {}
    for name, is_target in _names(frozen(node)):
        unit = None if _is_shipped(name) else _unit(name)
        if unit is not None and not _is_dependency(unit):
            found[unit.name] = _identity(unit)
        elif unit is None and is_target and not _is_shipped(name):
            found[name] = None
    return dict(sorted(found.items()))


def unknown_code(document: Any) -> list[str]:
    """Modules and packages in a key's document of which there is no source."""
    if isinstance(document, list):
        return [name for item in document for name in unknown_code(item)]
    if not isinstance(document, dict):
        return []
    here = document.get(CODE)
    names = (
        [name for name, known in here.items() if known is None] if isinstance(here, dict) else []
    )
    return names + [name for item in document.values() for name in unknown_code(item)]


def _names(value: Any, *, is_target: bool = False) -> Iterator[tuple[str, bool]]:
    """Texts of a node that may be dotted names, and whether each is a `_target_`."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _names(item, is_target=key == TARGET)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _names(item)
    elif isinstance(value, str) and (is_target or _DOTTED.fullmatch(value)):
        yield value.replace(":", "."), is_target


class _Unit:
    """A module, or a package with all that is in it.

    Attributes:
        name: dotted; more than one part only below folders that are no packages themselves.
        folder: of the package; None for a module.
        file: of the module, or the package's `__init__`.
    """

    def __init__(self, name: str, spec: ModuleSpec) -> None:
        """From where Python finds it."""
        self.name = name
        self.file = Path(spec.origin) if spec.origin and spec.has_location else None
        folders = spec.submodule_search_locations
        self.folder = Path(folders[0]) if spec.origin is not None and folders else None

    def sources(self) -> list[Path]:
        """Files of the code, sorted; empty where there is no source."""
        if self.file is None or self.file.suffix != ".py":
            return []
        return [self.file] if self.folder is None else sorted(_files_below(self.folder))

    def absolute(self, imported: str, path: Path) -> str:
        """The dotted name of what one of its files imports, be it relative or not."""
        n_dots = len(imported) - len(imported.lstrip("."))
        if n_dots == 0:
            return imported
        below = path.relative_to(self.folder).parts[:-1] if self.folder else ()
        package = [*self.name.split("."), *below]
        n_left = len(package) - (n_dots - 1 if self.folder else n_dots)
        return ".".join([*package[: max(n_left, 0)], imported.lstrip(".")])

    def relative(self, path: Path) -> str:
        """A file's place within the unit, wherever that is on disk."""
        below = path.relative_to(self.folder).as_posix() if self.folder else ""
        return f"{self.name}/{below}"


def _unit(name: str) -> _Unit | None:
    """The outermost module or package on the way to a dotted name, None where there is none."""
    parts = name.split(".")
    if parts[0] == "__main__":
        file = getattr(sys.modules.get("__main__"), "__file__", None)
        spec = ModuleSpec("__main__", None, origin=file)
        spec.has_location = file is not None
        return _Unit("__main__", spec)
    folders: list[str] | None = None  # of the part before, which is no package
    for number, part in enumerate(parts):
        try:
            # By its last part alone: for a whole name Python would look for what it lies in.
            found = find_spec(part) if folders is None else PathFinder.find_spec(part, folders)
        except (ImportError, ValueError, AttributeError):
            return None
        if found is None:
            return None
        if found.origin is not None or not found.submodule_search_locations:
            return _Unit(".".join(parts[: number + 1]), found)
        folders = list(found.submodule_search_locations)
    return None


def _is_shipped(name: str) -> bool:
    """Whether a dotted name is oodbench's own or Python's."""
    top = name.split(".")[0]
    return top == ITSELF or top in sys.stdlib_module_names


def _is_dependency(unit: _Unit) -> bool:
    return is_dependency(unit.name.split(".")[0], unit.file)


def _identity(unit: _Unit) -> str | None:
    top = unit.name.split(".")[0]
    if unit.file is not None and is_installed(unit.file) and (known := distribution_of(top)):
        return known
    try:
        digest = _digest(unit)
    except OSError:
        return None
    if digest is not None:
        _refuse_changed(unit, digest)
    return digest


def _digest(unit: _Unit) -> str | None:
    """sha256 over the sources of a unit and of those of the user's that they import."""
    if not unit.sources():
        return None
    lines: list[str] = []
    left, known = [unit], {unit.name}
    while left:
        current = left.pop()
        for path in current.sources():
            if path.suffix != ".py":
                lines.append(f"{current.relative(path)}\0{remembered_digest(path, 'sha256')}")
                continue
            source = source_of(path)
            lines.append(f"{current.relative(path)}\0{source.sha256}")
            for imported in _imported(current.absolute(name, path) for name in source.imports):
                if imported.name not in known:
                    known.add(imported.name)
                    left.append(imported)
    text = "\n".join(sorted(lines))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _imported(names: Iterable[str]) -> Iterator[_Unit]:
    """What else of the user's own the code consists of; packages that are installed are not."""
    for name in names:
        unit = None if _is_shipped(name) else _unit(name.removesuffix(".*"))
        if unit is None or unit.file is None or is_installed(unit.file):
            continue
        if not _is_dependency(unit):
            yield unit


def _files_below(folder: Path) -> Iterator[Path]:
    """Python files and compiled modules, also through links, each folder once."""
    entered = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = [name for name in folders if name != "__pycache__" and name[0] != "."]
        for name in files:
            if name.endswith((".py", *EXTENSION_SUFFIXES)):
                yield Path(place, name)


def _refuse_changed(unit: _Unit, digest: str) -> None:
    """What is imported stays as it was; a key of the code on disk would be that of another code."""
    spec = getattr(sys.modules.get(unit.name), "__spec__", None)
    before = _seen.get(unit.name)
    if spec is not None and before is not None:
        spec_before, digest_before = before
        if (spec_before is None or spec_before is spec) and digest != digest_before:
            raise ConfigError(
                f"{unit.name}: its code, or what it imports, has changed since this process "
                "imported it: start again"
            )
    _seen[unit.name] = (spec, digest)
