"""Whether pictures still hold what they held when they were first decoded.

Listings tell pictures apart by name and size. What they hold is known from the runs that decoded
them: for every picture the sha256 of its bytes, kept below the output root, with the results, and
in the user's cache, where a new output root finds it. What was seen in one folder at one time is
kept too, so that a picture is read again only where its time has changed.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oodbench.core.errors import DataError
from oodbench.core.files import atomic_path
from oodbench.data.read_files import Decoded, ReadFile, file_state, files_read, read_file
from oodbench.data.slots import SlotArray, Slots, slots_of

log = logging.getLogger(__name__)

ONE_IN = 100
"""Of many pictures, one in so many is looked at."""

BLOCK = 100
"""Neighbours that are looked at together, so that little is read."""


LONG = 1000
"""Pictures that take so long to read that it is said."""


@dataclass(frozen=True)
class FileSet:
    """The files of a split, or of several that are made from the same ones.

    Attributes:
        folders: where it is kept what they hold: with the results, then the user's cache.
        root: folder of the files.
        n_files: how many there are.
        list_names: their paths below `root`, by position.
        changed: by position, sha256 of those that hold something else than they did at first.
    """

    folders: Sequence[Path]
    root: Path
    n_files: int
    list_names: Callable[[], Sequence[str]]
    changed: Mapping[int, bytes] = field(default_factory=dict)

    def look(self, *, everywhere: bool, contents: bool) -> dict[int, bytes]:
        """Positions of the files that hold something else than at first, with their sha256 now.

        A file is read where its time is none that it was seen with in this folder.

        Args:
            everywhere: at all files; else at one in a hundred, always the same ones.
            contents: read all these files, whatever their times.
        """
        blocks = [(0, self.n_files)] if everywhere else list(_sample(self.n_files))
        first = np.concatenate([self._first(*block) for block in blocks])
        known = np.flatnonzero(first["known"])
        if not len(known):
            return {}
        positions = np.concatenate([np.arange(*block) for block in blocks])[known]
        names = self._names(blocks, "all" if everywhere else "some")
        paths = [f"{self.root}/{names[number]}" for number in known.tolist()]
        seen = np.concatenate([self._seen(*block) for block in blocks])[known]
        now = np.array([file_state(path).modified for path in paths], np.int64)
        new = (seen["known"] == 0) | (seen["modified"] != now) | contents
        self._read_again(positions, paths, seen, np.flatnonzero(new))
        others = np.flatnonzero((seen["sha256"] != first[known]["sha256"]).any(axis=1))
        return {
            int(positions[number]): seen["sha256"][number].tobytes()
            for number in others.tolist()
            if seen["known"][number]
        }

    def keep(self, decoded: Mapping[int, Decoded]) -> None:
        """Keep what files held that were decoded, by position.

        Raises:
            DataError: one of them holds something else than at first, and than when it was looked
                at.
        """
        if not decoded:
            return
        positions = np.array(sorted(decoded), np.int64)
        found = [decoded[position] for position in positions.tolist()]
        now = slots_of([one.modified for one in found], [one.sha256 for one in found])
        start, stop = int(positions[0]), int(positions[-1]) + 1
        first = self._first(start, stop)[positions - start]
        expected = first["sha256"].copy()
        for number, position in enumerate(positions.tolist()):
            if position in self.changed:
                expected[number] = np.frombuffer(self.changed[position], np.uint8)
        wrong = (first["known"] == 1) & (expected != now["sha256"]).any(axis=1)
        if wrong.any():
            name = self.list_names()[int(positions[np.argmax(wrong)])]
            raise DataError(
                f"{self.root / name}: holds another picture than when it was last looked at: give "
                "the same command again, with data.verify=contents where its time has not changed"
            )
        first = np.where(first["known"] == 1, first, now)
        for folder in self.folders:
            slots = Slots(folder / "first")
            missing = slots.read(start, stop)[positions - start]["known"] == 0
            if missing.any():
                _try_to_write(slots, positions[missing], first[missing])
        self._write_seen(positions, now)

    def fingerprint(self, base: str) -> str:
        """`base` where nothing has changed, else a sha256 of it and of what has."""
        if not self.changed:
            return base
        names = self.list_names()
        lines = sorted(f"{names[position]}\0{sha.hex()}" for position, sha in self.changed.items())
        text = "\n".join([base, *lines])
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    def _first(self, start: int, stop: int) -> SlotArray:
        """What is known of the files at first, the results before the cache."""
        return _merged([Slots(folder / "first").read(start, stop) for folder in self.folders])

    def _seen(self, start: int, stop: int) -> SlotArray:
        return _merged([slots.read(start, stop) for slots in self._seen_files()])

    def _seen_files(self) -> list[Slots]:
        """Of what was seen in this folder, the cache before the results."""
        place = hashlib.sha256(os.fsencode(self.root.resolve())).hexdigest()[:16]
        return [Slots(folder / f"at-{place}") for folder in reversed(self.folders)]

    def _write_seen(self, positions: NDArray[np.int64], slots: SlotArray) -> None:
        """In the cache, or else with the results."""
        any(_try_to_write(file, positions, slots) for file in self._seen_files())

    def _read_again(
        self,
        positions: NDArray[np.int64],
        paths: Sequence[str],
        seen: SlotArray,
        numbers: NDArray[np.int64],
    ) -> None:
        """Read files, and change what was seen of them; one that cannot be read is left out."""
        if not len(numbers):
            return
        if len(numbers) >= LONG:
            log.info("%s: the times of %d pictures are new: reading them", self.root, len(numbers))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = list(pool.map(_read, [paths[number] for number in numbers.tolist()]))
        read = np.array([file is not None for file in found])
        seen[numbers[~read]] = 0
        files = [file for file in found if file is not None]
        if files:
            now = slots_of([file.state.modified for file in files], [f.sha256 for f in files])
            seen[numbers[read]] = now
            self._write_seen(positions[numbers[read]], now)

    def _names(self, blocks: Sequence[tuple[int, int]], kind: str) -> Sequence[str]:
        """Names of the files in some blocks, kept in the cache: listing takes longer."""
        n_names = sum(stop - start for start, stop in blocks)
        path = self.folders[-1] / f"names-{kind}"
        try:
            kept = os.fsdecode(path.read_bytes()).split("\0")
            if len(kept) == n_names:
                return kept
        except OSError:
            pass
        names = self.list_names()
        kept = [name for start, stop in blocks for name in names[start:stop]]
        try:
            with atomic_path(path) as part:
                part.write_bytes(os.fsencode("\0".join(kept)))
        except OSError as error:
            log.debug("names of pictures not kept: %s", error)
        return kept


def _sample(n_files: int) -> Iterator[tuple[int, int]]:
    """Blocks with one in a hundred of so many positions, at least one block."""
    for start in range(0, n_files, BLOCK * ONE_IN):
        yield start, min(start + BLOCK, n_files)


def _merged(found: Sequence[SlotArray]) -> SlotArray:
    """Of each slot the first that is known."""
    merged = found[0]
    for more in found[1:]:
        merged = np.where(merged["known"] == 1, merged, more)
    return merged


def _read(path: str) -> ReadFile | None:
    try:
        with files_read() as files:
            read_file(Path(path))
    except (OSError, DataError):
        return None
    return files[0]


def _try_to_write(slots: Slots, positions: NDArray[np.int64], content: SlotArray) -> bool:
    try:
        slots.write(positions, content)
    except OSError as error:
        log.debug("contents of pictures not kept: %s", error)
        return False
    return True
