"""Every file of a split decoded, several at once; what was sound is remembered."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from oodbench.benchmarks.base import Benchmark, Split, file_of
from oodbench.benchmarks.inspection.finding import Problem
from oodbench.core.cache import cache_directory
from oodbench.core.errors import DataError
from oodbench.data.manifest import CHECKSUMS
from oodbench.data.read_files import file_state, files_read
from oodbench.data.slots import SlotArray, Slots, slots_of

_BLOCK = 512
"""Files after which it is written down which were sound: what Ctrl-C can lose at most."""

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


class _Looked(NamedTuple):
    """Of a file: when it was changed, sha256 of its bytes, and what is wrong."""

    modified: int
    sha256: bytes
    wrong: str


def damaged_files(
    benchmark: Benchmark,
    split: Split,
    side: int | None,
    workers: int,
    advance: Callable[[int], None],
) -> Iterator[Problem]:
    """Files that cannot be decoded, have another size than all should, or another checksum.

    Files that were sound before and have not changed since are not decoded again.

    Args:
        benchmark: decodes.
        split: its files.
        side: height and width that every picture should have; None: any.
        workers: files that are decoded at once.
        advance: called with the number of files that were looked at.
    """
    items = split.list_items()
    slots = _remembered(split)
    look = partial(_look, benchmark, side)
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(items), _BLOCK):
            paths = [split.root / item.image for item in items[start : start + _BLOCK]]
            files = [file_of(benchmark, path) for path in paths]
            known = slots.read(start, start + len(paths))
            looked = list(pool.map(look, paths, files, known))
            yield from _problems(files, looked)
            _remember(slots, start, looked)
            advance(len(paths))


def _look(
    benchmark: Benchmark, side: int | None, path: Path, file: Path, slot: SlotArray
) -> _Looked:
    state = file_state(file)
    if slot["known"] and slot["modified"] == state.modified:
        return _Looked(state.modified, slot["sha256"].tobytes(), "")
    with files_read() as read:
        try:
            pictures = benchmark.load(path)
        except DataError as error:
            return _Looked(state.modified, b"", str(error).removeprefix(f"{file}: "))
    sha256 = next((found.sha256 for found in read if found.path == file), b"")
    sizes = {picture.size for picture in pictures}
    if side is not None and sizes != {(side, side)}:
        found = ", ".join(f"{width}x{height}" for width, height in sorted(sizes))
        return _Looked(state.modified, b"", f"{found} pixels instead of {side}x{side}")
    return _Looked(state.modified, sha256, "")


def _problems(files: Sequence[Path], looked: Sequence[_Looked]) -> Iterator[Problem]:
    for file, found in zip(files, looked, strict=True):
        expected = _checksums(file.parents[1]).get(f"{file.parent.name}/{file.name}")
        if found.wrong:
            yield Problem(str(file), found.wrong, "get the file again")
        elif expected and found.sha256 and found.sha256.hex() != expected:
            yield Problem(
                str(file), f"its sha256 is not that of {CHECKSUMS}", "make or get the file again"
            )


@cache
def _checksums(folder: Path) -> dict[str, str]:
    """By file below a folder, the checksums that stand there; none where there is no such file."""
    try:
        lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {found[2]: found[1] for line in lines if (found := _LINE.fullmatch(line))}


def _remembered(split: Split) -> Slots:
    place = hashlib.sha256(os.fsencode(split.root.resolve())).hexdigest()[:16]
    name = hashlib.sha256(split.name.encode()).hexdigest()[:8]
    return Slots(cache_directory() / "decoded" / f"{split.fingerprint[:24]}-{place}-{name}")


def _remember(slots: Slots, start: int, looked: Sequence[_Looked]) -> None:
    sound = [place for place, found in enumerate(looked) if not found.wrong and found.sha256]
    if not sound:
        return
    kept = [looked[place] for place in sound]
    try:
        slots.write(
            start + np.array(sound, np.int64),
            slots_of([one.modified for one in kept], [one.sha256 for one in kept]),
        )
    except OSError:
        return  # a cache that cannot be written costs time alone
