"""Records that another run has computed already: same key, another name of benchmark or model.

The key is the identity of the records, so a benchmark that only scores otherwise, such as the
reassessed labels of the validation pictures, needs no second forward pass.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

from oodbench.core.errors import DataError
from oodbench.core.files import atomic_path, read_json
from oodbench.runs.chunks import Chunk, chunk_file, missing_chunks
from oodbench.runs.key import same_document
from oodbench.runs.paths import RunPaths, runs_directory
from oodbench.runs.plan import Plan
from oodbench.runs.records import checked_info, chunk_path

log = logging.getLogger(__name__)


def take_over(plan: Plan) -> int:
    """Copy the chunks that this run lacks and that a run with the same key has.

    Chunks that are damaged are left where they are. A run of unknown weights or code shares its
    records with none.

    Returns:
        How many chunks were copied; one line says it.
    """
    if plan.unknown is not None:
        return 0
    others = list(_others(plan))
    taken = 0
    for chunk in missing_chunks(plan) if others else ():
        if chunk.start == chunk.first and any(_copied(plan, chunk, other) for other in others):
            taken += 1
    if taken:
        log.info(
            "%s: %d chunks taken over from runs with the same key, such as %s",
            *(plan.cell, taken, others[0].directory),
        )
    return taken


def _others(plan: Plan) -> Iterator[RunPaths]:
    for folder in sorted(runs_directory(Path(plan.run.output_root)).glob(f"*/*/{plan.key}")):
        paths = RunPaths(folder)
        same = folder == plan.paths.directory
        if not same and same_document(read_json(paths.key_document), plan.document):
            yield paths


def _copied(plan: Plan, chunk: Chunk, other: RunPaths) -> bool:
    file = chunk_path(other.records, chunk.split.name, chunk.number)
    try:
        info = checked_info(file, chunk.split.name, chunk.first, plan.key)
    except DataError:
        return False
    if info is None or info.skipped:
        return False
    with atomic_path(chunk_file(plan, chunk)) as part:
        part.write_bytes(file.read_bytes())
    return True
