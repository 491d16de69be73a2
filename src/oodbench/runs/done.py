"""Whether a run is done: its result and the records that it rests on. Imports no torch."""

import logging
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from oodbench.core.errors import DataError
from oodbench.core.files import read_json
from oodbench.runs.attacked import item_counts
from oodbench.runs.chunks import Chunk, all_chunks, chunk_file, is_whole
from oodbench.runs.key import same_document
from oodbench.runs.plan import Plan
from oodbench.runs.records import checked_info, chunk_name
from oodbench.runs.results import OtherSchema, RunResult, read_result
from oodbench.runs.scoring_code import is_scored_alike
from oodbench.runs.skipping import most_skipped

log = logging.getLogger(__name__)


def is_done(plan: Plan) -> RunResult | None:
    """The result on disk where it covers what is asked for and its records are there, else None.

    Chunks are opened where they may have changed since the result was written: one of them is
    newer, or an attempt to read them has failed (error.json).

    Raises:
        DataError: there is a folder in the result's place, or a result that a newer version has
            written, which is not to be replaced by an older one.
    """
    if (unknown := plan.unknown) is not None:
        log.warning(
            *("%s: the %s are unknown, so nothing is reused; set %s", plan.cell),
            *(unknown.what, unknown.mend),
        )
        return None
    try:
        result = _result_of(plan)
    except DataError as error:
        if plan.paths.result.is_dir():
            raise
        if isinstance(error, OtherSchema):
            raise OtherSchema(f"{error}, or set output_root to another folder") from None
        log.warning("%s", error)
        return None
    if result is None:
        return None
    whole = covering(plan, result)
    most = most_skipped(plan.run.data, sum(whole.counts.values()))
    if whole.counts != item_counts(result) or len(result.skipped) > most:
        return None
    if not is_scored_alike(result, plan.run.benchmark.protocol, plan.run.code.identity):
        log.info("%s: other scores, or their code has changed: scored again", plan.cell)
        return None
    return result if _records_are_there(whole, result) else None


def more_than_asked(plan: Plan, result: RunResult) -> list[str]:
    """That a result covers more than `limit` and `budget` ask for, where it does."""
    asked, there = sum(plan.counts.values()), sum(item_counts(result).values())
    if there <= asked:
        return []
    return [f"asked for {asked} of these {there} items: the larger result stays"]


def stored_result(plan: Plan) -> RunResult | None:
    """The result of this very run on disk, None where there is none that can be used."""
    with suppress(DataError):
        return _result_of(plan)
    return None


def covering(plan: Plan, result: RunResult | None) -> Plan:
    """The plan for all that is asked for and all that the result covers.

    So a run with a smaller limit never takes the place of a larger one.
    """
    stored = {} if result is None else item_counts(result)
    counts = {name: max(count, stored.get(name, 0)) for name, count in plan.counts.items()}
    return replace(plan, counts=counts)


def _result_of(plan: Plan) -> RunResult | None:
    """The result of this very run.

    Raises:
        DataError: the file is damaged, or of another run.
    """
    result = read_result(plan.paths.result)
    if result is None or not same_document(read_json(plan.paths.key_document), plan.document):
        return None
    if result.key != plan.key:
        raise DataError(f"{plan.paths.result}: not used: of run {result.key}, not of {plan.key}")
    return result


def _records_are_there(plan: Plan, result: RunResult) -> bool:
    """Whether there are whole chunks for all items of the plan.

    A missing one is named here; one that is damaged, by what then looks for missing chunks.
    """
    in_doubt = plan.paths.error.exists()
    there = _chunks_on_disk(plan.paths.records)
    for chunk in all_chunks(plan):
        changed = there.get(chunk_name(chunk.split.name, chunk.number))
        if changed is None:
            log.warning("%s: missing: computed again", chunk_file(plan, chunk))
            return False
        if (in_doubt or changed > result.modified) and not _is_sound(plan, chunk):
            return False
    return True


def _chunks_on_disk(records: Path) -> dict[str, float]:
    """Time of change by name; ImageNet-P has 7,820 of them, so the folder is listed at once."""
    with suppress(OSError), os.scandir(records) as entries:
        # Other files, such as leases, may vanish meanwhile.
        chunks = [entry for entry in entries if entry.name.endswith(".parquet")]
        return {chunk.name: chunk.stat().st_mtime for chunk in chunks}
    return {}


def _is_sound(plan: Plan, chunk: Chunk) -> bool:
    try:
        info = checked_info(chunk_file(plan, chunk), chunk.split.name, chunk.first, plan.key)
    except DataError:
        return False
    return is_whole(chunk, info, skips=plan.run.data.on_error == "skip")
