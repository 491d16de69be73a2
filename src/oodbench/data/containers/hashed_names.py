"""Names for pictures that have none: made from what they hold."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable

from oodbench.data.containers.base import Contents, Member
from oodbench.data.containers.labels import Place

_KINDS = (
    (b"\x89PNG", ".png"),
    (b"BM", ".bmp"),
    (b"RIFF", ".webp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
)


def placed(
    members: Iterable[Member], places: Iterable[Place], read: Callable[[Member], bytes]
) -> Contents:
    """Members by their places; those without a name get one from their bytes, which are read.

    The same pictures in the same folders get the same names, whatever their order.
    """
    seen: Counter[str] = Counter()
    found, all_named = [], True
    for member, place in zip(members, places, strict=True):
        name = place.name
        if name is None:
            all_named = False
            name = _name(read(member), place.folder, seen)
        found.append(member._replace(path=f"{place.folder}/{name}"))
    return Contents(found, all_named)


def _name(content: bytes, folder: str, seen: Counter[str]) -> str:
    """32 digits of the sha256 of the bytes, numbered where a folder has them again."""
    ending = next((end for begin, end in _KINDS if content.startswith(begin)), ".jpg")
    digits = hashlib.sha256(content).hexdigest()[:32]
    seen[f"{folder}/{digits}"] += 1
    again = seen[f"{folder}/{digits}"]
    return f"{digits}{ending}" if again == 1 else f"{digits}-{again}{ending}"
