"""Which chunks a run has, and which of them are on disk. Imports no torch: plans need it, too."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from oodbench.benchmarks.base import Split
from oodbench.runs.plan import Plan
from oodbench.runs.records import ChunkInfo, chunk_path, read_info


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
    """What this shard has to do; a chunk cut short by a smaller limit or budget is continued."""
    for chunk in own_chunks(plan):
        info = chunk_info(plan, chunk)
        if not is_whole(plan, chunk, info):
            kept = info.n_items if info and (_accepts_skipped(plan) or not info.skipped) else 0
            yield replace(chunk, start=chunk.first + min(kept, chunk.stop - chunk.first))


def is_whole(plan: Plan, chunk: Chunk, info: ChunkInfo | None) -> bool:
    """Whether the file covers the chunk; one with unreadable items is tried again on `stop`."""
    if info is None or info.n_items < chunk.stop - chunk.first:
        return False
    return not info.skipped or _accepts_skipped(plan)


def chunk_info(plan: Plan, chunk: Chunk) -> ChunkInfo | None:
    """What the chunk's file says of itself; None where there is no file."""
    return read_info(chunk_path(plan.paths.records, chunk.split.name, chunk.number))


def _accepts_skipped(plan: Plan) -> bool:
    return plan.run.data.on_error == "skip"
