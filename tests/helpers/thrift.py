"""What makes all tests cheaper without one of them noticing."""

import copy
import gc
from typing import IO, Any

import pytest
import yaml

_parse = yaml.load
_known: dict[tuple[str, str], Any] = {}


def _load(stream: str | IO[str], Loader: type[yaml.Loader]) -> Any:
    """`yaml.load`, once for each text: the tests compose a thousand configs from the same files."""
    text = stream if isinstance(stream, str) else stream.read()
    key = (Loader.__name__, text)
    if key not in _known:
        if not isinstance(stream, str):
            stream.seek(0)  # an error names the file
        _known[key] = _parse(stream, Loader)
    return copy.deepcopy(_known[key])


def pytest_configure() -> None:
    yaml.load = _load


def pytest_collection_finish(session: pytest.Session) -> None:
    """What all imports made is never garbage, and composing configs makes much that lives on: the
    collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)
