"""Which chunks a run has, and which of them are on disk. Imports no torch: plans need it, too."""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from oodbench.benchmarks.base import Split
from oodbench.core.errors import DataError
from oodbench.runs.plan import Plan
from oodbench.runs.records import ChunkInfo, checked_info, chunk_path, read_info
from oodbench.runs.skipping import most_skipped

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chunk:
    """Items of a split that are written as one file.

    Attributes:
        first, stop: the chunk's items are those at `first` up to `stop`.
        start: items before this one are in the file already.
    """

    split: Split
    number: int
    first: int
    stop: int
    start: int


def all_chunks(plan: Plan) -> list[Chunk]:
    """The chunks of the run in order; their borders depend on nothing but `chunk_size`."""
    size = plan.run.benchmark.chunk_size
    return [
        Chunk(split, number, first, min(first + size, plan.counts[split.name]), first)
        for split in plan.splits
        for number, first in enumerate(range(0, plan.counts[split.name], size))
    ]


def own_chunks(plan: Plan) -> list[Chunk]:
    """The chunks of this shard."""
    shard = plan.run.shard
    return all_chunks(plan)[shard.index :: shard.count]


def missing_chunks(plan: Plan) -> Iterator[Chunk]:
    """What this shard has to do; a chunk cut short by a smaller limit or budget is continued.

    A file that is damaged or does not belong there is named in a warning, and counts as missing.
    """
    skips = accepts_skipped(plan)
    for chunk in own_chunks(plan):
        if (missing := missing_part(plan, chunk, skips=skips, say=log.warning)) is not None:
            yield missing


def missing_part(
    plan: Plan, chunk: Chunk, *, skips: bool, say: Callable[[str], None] = log.debug
) -> Chunk | None:
    """What is to be done of a chunk, None where its file covers it.

    A chunk that is done anew is done as far as its file reached, be it further than was asked for.

    Args:
        skips: whether items may stay left out that could not be read; else they are tried again.
        say: called with the line about a file that is damaged or does not belong there.
    """
    try:
        info = checked_info(chunk_file(plan, chunk), chunk.split.name, chunk.first, plan.key)
    except DataError as error:
        say(str(error))
        return chunk
    if is_whole(chunk, info, skips=skips):
        return None
    if info is None or (info.skipped and not skips):
        reached = 0 if info is None else info.n_items
        return replace(chunk, stop=max(chunk.stop, chunk.first + reached))
    return replace(chunk, start=chunk.first + info.n_items)


def is_whole(chunk: Chunk, info: ChunkInfo | None, *, skips: bool) -> bool:
    """Whether the file covers the chunk; for `skips` see `missing_part`."""
    if info is None or info.n_items < chunk.stop - chunk.first:
        return False
    return skips or not info.skipped


def accepts_skipped(plan: Plan) -> bool:
    """Whether the items that the run has left out so far may stay so."""
    if plan.run.data.on_error != "skip":
        return False
    return kept_skipped(plan) <= most_skipped(plan.run.data, sum(plan.counts.values()))


def kept_skipped(plan: Plan, anew: Collection[Chunk] = ()) -> int:
    """How many items the files of the run's chunks, other shards' too, leave out.

    Args:
        anew: chunks that are done again: of these only what comes before their start counts.
    """
    ignored = {(chunk.split.name, chunk.number) for chunk in anew if chunk.start == chunk.first}
    infos = (
        chunk_info(plan, chunk)
        for chunk in all_chunks(plan)
        if (chunk.split.name, chunk.number) not in ignored
    )
    return sum(len(info.skipped) for info in infos if info is not None)


def chunk_info(plan: Plan, chunk: Chunk) -> ChunkInfo | None:
    """What the chunk's file says of itself, unchecked; None where there is no file."""
    return read_info(chunk_file(plan, chunk))


def chunk_file(plan: Plan, chunk: Chunk) -> Path:
    """Where the chunk's records are."""
    return chunk_path(plan.paths.records, chunk.split.name, chunk.number)
