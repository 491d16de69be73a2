"""Versions of the libraries that numbers depend on."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def versions(names: Iterable[str]) -> dict[str, str | None]:
    """Version by package name; None where it is not installed."""
    return {name: _version(name) for name in names}


def version_text() -> str:
    """What `--version` of every command prints."""
    return f"oodbench {_version('oodbench')}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
