"""Which of a run's missing chunks this process computes: those that no other one does."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from oodbench.core.lease import SUFFIX, Leases
from oodbench.runs.chunks import Chunk, accepts_skipped, chunk_file, missing_part
from oodbench.runs.plan import Plan
from oodbench.runs.records import ChunkInfo, read_info, write_chunk


class Claims:
    """Chunks, each leased from when it is taken until it is written; iterates once.

    Attributes:
        others: leases of the chunks that were left to another process.
        written: the chunks that are on disk, in their order.
    """

    def __init__(self, plan: Plan, chunks: Iterable[Chunk], leases: Leases) -> None:
        """Take nothing yet.

        Args:
            chunks: what is to be done, as far as it is known now.
            leases: hold the chunks.
        """
        self.others: list[Path] = []
        self.written: list[Chunk] = []
        self._plan = plan
        self._chunks = chunks
        self._leases = leases
        self._skips = accepts_skipped(plan)
        self._taken: Iterator[Chunk] = self._take()

    def any_free(self) -> bool:
        """Take the first chunk that is free, so that nothing is built in vain; False: none is."""
        first = next(self._taken, None)
        if first is not None:
            self._taken = chain([first], self._taken)
        return first is not None

    def __iter__(self) -> Iterator[Chunk]:
        """What is left of each chunk that this process may compute, leased."""
        return self._taken

    def _take(self) -> Iterator[Chunk]:
        for chunk in self._chunks:
            lease = lease_path(chunk_file(self._plan, chunk))
            if self._leases.take(lease) is not None:
                self.others.append(lease)
                continue
            # Another process may have written it since the chunks were listed.
            left = missing_part(self._plan, chunk, skips=self._skips)
            if left is None:
                self._leases.give_back(lease)
            else:
                yield left

    def before(self, chunk: Chunk) -> ChunkInfo | None:
        """What the file of a chunk that was taken covers already, None where nothing."""
        goes_on = chunk.start > chunk.first
        return read_info(chunk_file(self._plan, chunk)) if goes_on else None

    def write(self, chunk: Chunk, columns: Mapping[str, NDArray[Any]], info: ChunkInfo) -> None:
        """Write a chunk that was taken, and let go of it.

        Where the process was stopped for so long that another one has taken the chunk over, the
        rows are dropped: that one writes them.

        Args:
            columns: of the rows from `chunk.start` on.
            info: of all items that are covered; its place is filled in here.
        """
        path = chunk_file(self._plan, chunk)
        lease = lease_path(path)
        if not self._leases.holds(lease):
            self.others.append(lease)
            return
        placed = replace(info, key=self._plan.key, split=chunk.split.name, first=chunk.first)
        write_chunk(path, columns, placed, append=chunk.start > chunk.first)
        self._leases.give_back(lease)
        self.written.append(chunk)

    def keep(self, chunk: Chunk, columns: Mapping[str, NDArray[Any]], info: ChunkInfo) -> None:
        """Write the first items of a chunk that was taken, whose others have not been computed.

        Not over a file that is there and was to be done anew: it may hold more items, and what a
        result rests on.

        Args:
            columns: of the rows from `chunk.start` on.
            info: of the items that are covered; its place is filled in here.
        """
        if chunk.start == chunk.first and chunk_file(self._plan, chunk).exists():
            return
        self.write(chunk, columns, info)


def lease_path(file: Path) -> Path:
    """The lease of a file, beside it."""
    return file.with_name(f".{file.name}{SUFFIX}")
