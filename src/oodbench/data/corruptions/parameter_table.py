"""Parameters as data: one YAML file of named entries."""

import json
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from typing import Any

from omegaconf import OmegaConf

from oodbench.core.errors import ConfigError


class ParameterTable:
    """Entries of a YAML file by name, read at the first use.

    Args:
        package: that contains the file.
        file: its name.
        kind: what an entry is, for the message about an unknown one.
    """

    def __init__(self, package: str, file: str, kind: str) -> None:
        self._package = package
        self._file = file
        self._kind = kind

    def names(self) -> list[str]:
        """Names in the file's order."""
        return list(self._entries)

    def checked_name(self, name: str) -> str:
        """Return a name that the file has.

        Raises:
            ConfigError: it is none of the names, which are listed.
        """
        if name not in self._entries:
            raise ConfigError(f"unknown {self._kind} {name}: available: {', '.join(self._entries)}")
        return name

    def entry(self, name: str) -> dict[str, Any]:
        """The content of an entry.

        Raises:
            ConfigError: unknown name.
        """
        return self._entries[self.checked_name(name)]

    def sha256(self) -> str:
        """The content of every entry, by name."""
        return sha256(json.dumps(self._entries, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _entries(self) -> dict[str, dict[str, Any]]:
        text = files(self._package).joinpath(self._file).read_text(encoding="utf-8")
        table: Any = OmegaConf.to_container(OmegaConf.create(text))
        return dict(table)
