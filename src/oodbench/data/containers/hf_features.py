"""What `datasets` of Hugging Face writes into a schema: which columns are pictures and classes."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Features:
    """Of a table.

    Attributes:
        images: columns of the type Image, or of binary values where no type is named.
        classes: columns of the type ClassLabel, each with the names of its classes, by position.
    """

    images: list[str] = field(default_factory=list)
    classes: dict[str, list[str]] = field(default_factory=dict)


def features_of(schema: "pa.Schema") -> Features:
    """The types in the metadata, and the columns that hold bytes."""
    named = _named(schema.metadata or {})
    images = [name for name, kind in named.items() if kind.get("_type") == "Image"]
    classes = {
        name: [str(label) for label in kind.get("names") or ()]
        for name, kind in named.items()
        if kind.get("_type") == "ClassLabel"
    }
    return Features(images or [field.name for field in schema if _holds_bytes(field.type)], classes)


def _named(metadata: dict[bytes, bytes]) -> dict[str, dict[str, Any]]:
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {name: kind for name, kind in features.items() if isinstance(kind, dict)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(part.name == "bytes" for part in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
