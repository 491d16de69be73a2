"""OpenCV, which only the corruptions need: the extra `corruptions` brings it."""

from importlib import import_module
from typing import Any

from oodbench.core.errors import ConfigError
from oodbench.core.extras import install_extra


def load_opencv() -> Any:
    """The module `cv2`, untyped because its type stubs differ from version to version.

    Raises:
        ConfigError: it is not installed, or cannot be loaded.
    """
    try:
        return import_module("cv2")
    except ImportError as error:
        raise ConfigError(
            f"the corruptions need OpenCV ({error}): {install_extra('corruptions')}"
        ) from error


cv2 = load_opencv()
