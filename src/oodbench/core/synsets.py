"""Files of WordNet synset ids, which name the classes of ImageNet."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from oodbench.core.errors import ConfigError

_SYNSET_ID = re.compile(r"n\d{8}")


def read_synset_ids(
    path: Path, key: str, *, also: str | None = None, among: Collection[str] | None = None
) -> list[str]:
    """The ids of a text file that has one a line, in its order.

    Args:
        path: of the file.
        key: that names the file in the config, for messages.
        also, among: as `check_synset_ids` takes them.

    Raises:
        ConfigError: not a text file, or a line that `check_synset_ids` refuses.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise ConfigError(f"{key}={path}: not a text file") from None
    ids = [line.strip() for line in lines]
    while ids and not ids[-1]:
        ids.pop()
    check_synset_ids(ids, str(path), also=also, among=among)
    return ids


def check_synset_ids(
    ids: Sequence[str],
    where: str,
    *,
    also: str | None = None,
    among: Collection[str] | None = None,
) -> None:
    """Refuse what is no list of synset ids.

    Args:
        ids: one after the other.
        where: they stand, for messages: a file or a key of the config.
        also: a word that may stand in place of an id, as often as one likes.
        among: the ids that there are, those of ImageNet-1k; None: any.

    Raises:
        ConfigError: one is no id, or none of those that there are, or stands there twice.
    """
    seen: set[str] = set()
    for number, wnid in enumerate(ids, start=1):
        if wnid == also:
            continue
        if not _SYNSET_ID.fullmatch(wnid):
            nor = f" nor {also}" if also else ""
            raise ConfigError(
                f"{where}:{number}: '{wnid}' is no synset id (n and eight digits){nor}"
            )
        if among is not None and wnid not in among:
            raise ConfigError(f"{where}:{number}: {wnid} is none of the classes of ImageNet-1k")
        if wnid in seen:
            raise ConfigError(f"{where}:{number}: {wnid} stands there twice")
        seen.add(wnid)
