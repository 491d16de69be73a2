"""JSON files that hold the checksum of what they say."""

import hashlib
import json
from pathlib import Path
from typing import Any

from oodbench.core.files import write_json

CHECKSUM = "sha256"
"""The field that holds it."""

_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False)


def checksum(content: Any) -> str:
    """sha256, in hex, of JSON content, whatever the order of its keys and its spaces."""
    text = _CANONICAL.encode(content)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def write_checked(path: Path, content: dict[str, Any]) -> None:
    """Write JSON atomically, with its checksum as the last field."""
    write_json(path, {**content, CHECKSUM: checksum(json.loads(json.dumps(content)))})


def agrees(content: dict[str, Any]) -> bool:
    """Take the checksum out of what was read; whether it is that of the rest.

    What earlier versions wrote has none, and is taken as it is.
    """
    stated = content.pop(CHECKSUM, None)
    return stated is None or stated == checksum(content)
