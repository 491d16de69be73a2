"""PyAV, which only clips need: imported where one is decoded or encoded, a tenth of a second."""

from importlib import import_module
from typing import Any

from oodbench.core.errors import ConfigError


def load_av() -> Any:
    """The module `av`.

    Raises:
        ConfigError: it is not installed, or cannot be loaded.
    """
    try:
        return import_module("av")
    except ImportError as error:
        raise ConfigError(f"clips need PyAV ({error}): pip install av") from error
