"""Versions of Python and of the packages that oodbench requires or can use."""

import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires

from oodbench.core.extras import install_extra
from oodbench.core.versions import version_of, versions
from oodbench.sweeps.machine.findings import Finding

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"""extra == ["']([\w-]+)["']""")
_OF_DEVELOPERS = ("dev",)
_LISTED = 3
"""Packages of an extra that are listed."""


def packages() -> Iterator[Finding]:
    """Python, oodbench and what it requires."""
    yield Finding("python", "ok", f"{platform.python_version()}, {platform.platform()}")
    yield Finding("oodbench", "ok", version_of("oodbench") or "not installed, run from its sources")
    for name in _required(None):
        found = version_of(name)
        if found is None:
            yield Finding(name, "bad", "not installed", f"pip install {name}")
        else:
            yield Finding(name, "ok", found)


def extras() -> Iterator[Finding]:
    """The optional parts, each with its packages."""
    for extra in _extras():
        names = _required(extra)
        found = versions(names)
        said = ", ".join(f"{name} {known}" for name, known in found.items())
        if len(names) > _LISTED:
            said = f"{len(names)} packages, such as {names[0]} {found[names[0]]}"
        if missing := [name for name, known in found.items() if known is None]:
            lacking = f"not installed: {', '.join(missing)}"
            yield Finding(extra, "-", lacking, install_extra(extra))
        else:
            yield Finding(extra, "ok", said)


def _requirements() -> list[str]:
    try:
        return requires("oodbench") or []
    except PackageNotFoundError:
        return []


def _extras() -> list[str]:
    found = {match[1] for line in _requirements() if (match := _EXTRA.search(line))}
    return sorted(found.difference(_OF_DEVELOPERS))


def _required(extra: str | None) -> list[str]:
    """Names of the packages of an extra; None: of the core."""
    names = []
    for line in _requirements():
        marked = _EXTRA.search(line)
        name = _NAME.match(line)
        if name is not None and (marked[1] if marked else None) == extra:
            names.append(name[0])
    return sorted(names)
