"""Versions of the libraries that numbers depend on."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def versions(names: Iterable[str]) -> dict[str, str | None]:
    """Version by package name; None where it is not installed."""
    return {name: version_of(name) for name in names}


def version_text() -> str:
    """What `--version` of every command prints."""
    return f"oodbench {version_of('oodbench')}"


def version_of(name: str) -> str | None:
    """Of a package; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
