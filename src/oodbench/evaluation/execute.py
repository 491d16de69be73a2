"""Carry out a plan: evaluate what is missing, score when all is there."""

import logging
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from oodbench.core.budget import budget_note
from oodbench.core.building import by_content
from oodbench.core.files import write_json
from oodbench.core.ids import frozen
from oodbench.core.progress import Progress
from oodbench.core.schema import source_model
from oodbench.core.versions import versions
from oodbench.data import depth
from oodbench.data.pictures import clip_decoder
from oodbench.engines.full_device import memory_in_one_line
from oodbench.evaluation.assemble import attack_traits, setting_of
from oodbench.evaluation.evaluate import evaluate
from oodbench.evaluation.reader import Reader, Reading
from oodbench.models.class_lists import missing_classes
from oodbench.runs.chunks import Chunk, all_chunks, chunk_info, is_whole, missing_chunks
from oodbench.runs.difference import difference
from oodbench.runs.key import dataset_fingerprint
from oodbench.runs.plan import Plan, decoders, unidentified_paths
from oodbench.runs.records import ChunkInfo, chunk_files
from oodbench.runs.results import RunResult, write_result
from oodbench.runs.scoring import score_records, split_counts, status_of
from oodbench.runs.sessions import append_session

log = logging.getLogger(__name__)

LIBRARIES = (
    *("oodbench", "torch", "torchvision", "timm", "torchattacks", "openvino", "onnxruntime"),
    *("pillow", "numpy", "av"),
)


def execute(plan: Plan) -> RunResult | None:
    """Evaluate this shard's missing chunks; the result, or None while other shards' are missing."""
    if plan.weights.identity is None:
        _begin_anew(plan)
    write_json(plan.paths.key_document, plan.document)
    todo = list(missing_chunks(plan))
    started = datetime.now(UTC)
    clock = time.monotonic()
    n_items = sum(chunk.stop - chunk.start for chunk in todo)
    log.info(
        "%s: %d items to evaluate on %s: %s", plan.cell, n_items, plan.device, plan.paths.directory
    )
    if todo:
        reading = Reading(plan.run, plan.document, plan.counts)
        with (
            Reader(reading, plan.benchmark) as read,
            Progress(n_items, plan.cell) as progress,
            memory_in_one_line(plan.device),
        ):
            evaluate(todo, setting_of(plan, read, todo), plan.paths.records, progress)
    seconds = time.monotonic() - clock
    _write_info(plan, started, seconds, todo)
    infos = [(chunk, chunk_info(plan, chunk)) for chunk in all_chunks(plan)]
    if not all(is_whole(plan, chunk, info) for chunk, info in infos):
        return None
    notes = [
        *_deep_note(plan, infos),
        *sorted({info.note for _, info in infos if info and info.note}),
    ]
    result = _result(plan, notes)
    write_result(plan.paths.result, result)
    _forget_failures(plan)
    return replace(result, directory=plan.paths.directory)


def _begin_anew(plan: Plan) -> None:
    """Remove what a run before this one wrote, and nothing else that lies in the folder."""
    paths = plan.paths
    chunks = [path for split in plan.splits for path in chunk_files(paths.records, split.name)]
    for path in (paths.result, paths.info, paths.key_document, paths.error, *chunks):
        if path.is_file():
            path.unlink()


def _deep_note(plan: Plan, infos: Sequence[tuple[Chunk, ChunkInfo | None]]) -> list[str]:
    """How many of the scored items have more than 8 bits a channel, where some have."""
    count = sum(
        position < plan.counts[chunk.split.name]
        for chunk, info in infos
        if info is not None
        for position in info.deep
    )
    return [depth.note(count, scale=plan.run.data.deep_pictures == "scale")] if count else []


def _result(plan: Plan, found_notes: Sequence[str]) -> RunResult:
    run = plan.run
    traits = attack_traits(plan)
    published = run.benchmark.published_preprocessing.get(run.model.family)
    config = {
        "model": plan.document["model"],
        "preprocessing": frozen(run.preprocessing),
        "attack": frozen(run.attack),
        "seed": run.seed,
        "benchmark": {
            "protocol": frozen(by_content(run.benchmark.protocol)),
            "version": run.benchmark.version,
        },
    }
    scored = score_records(plan.benchmark, plan.paths.records, plan.counts, traits)
    expected = {split.name: split.n_expected for split in plan.splits}
    splits = split_counts(plan.paths.records, plan.counts, expected, scored.n_read)
    return RunResult(
        key=plan.key,
        model=run.model.name,
        benchmark=run.benchmark.name,
        preprocessing=str(run.preprocessing["name"]),
        attack=str(run.attack["name"]),
        difference=difference(run),
        status=status_of(splits, plan.missing_splits),
        demo=plan.demo,
        extension=bool(published and published.extension),
        headline=plan.benchmark.headline,
        n_images=sum(split["n"] for split in splits.values()),
        n_expected=sum(split["n_expected"] for split in splits.values()),
        splits=splits,
        missing_splits=list(plan.missing_splits),
        notes=[*_notes(plan), *found_notes],
        scores=scored.scores,
        weights=plan.weights.identity,
        precision=run.engine.precision,
        dataset_fingerprint=dataset_fingerprint(plan.splits),
        config=config,
        attack_traits=traits,
        attack_report=scored.attack_report,
        column=run.benchmark.column,
        official=run.benchmark.is_official,
    )


def _notes(plan: Plan) -> list[str]:
    notes = []
    if plan.demo:
        notes.append("demo data: not comparable with published numbers")
    identity = plan.weights.identity
    if identity is None:
        notes.append("identity of the weights unknown")
    elif identity.startswith("random:"):
        notes.append("random weights")
    source = source_model(plan.run.attack)
    if plan.run.model.allow_unstable or (source is not None and source.allow_unstable):
        notes.append("allow_unstable: outputs may depend on chance and on the batch size")
    if missing := missing_classes(plan.run.model.classes):
        named = ", ".join(missing[:10]) + (", …" if len(missing) > 10 else "")
        notes.append(
            f"the network has no output for {len(missing)} of the 1000 classes ({named}): they are "
            "never predicted"
        )
    sizes = {split.name: split.n_items for split in plan.splits}
    if note := budget_note(sizes, plan.counts):
        notes.append(note)
    return notes


def _write_info(plan: Plan, started: datetime, seconds: float, computed: Sequence[Chunk]) -> None:
    """Append this session, which has computed these chunks, to run.json."""
    n_items = sum(chunk.stop - chunk.start for chunk in computed)
    info = chunk_info(plan, computed[-1]) if computed else None
    session: dict[str, Any] = {
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "items": n_items,
        "items_per_second": round(n_items / seconds, 2) if n_items and seconds else None,
        "engine": plan.run.engine.name,
        "computed_by": info.engine if info else None,
        "device": plan.device,
        "batch_size": info.batch_size if info else None,
        "workers": decoders(plan.run.data) if info else None,
        "host": platform.node(),
        "python": platform.python_version(),
        "versions": versions(LIBRARIES),
        "clip_decoder": clip_decoder(),
    }
    append_session(plan.paths.info, session)


def _forget_failures(plan: Plan) -> None:
    """Remove the failures of the same cell, also those without a key: this run succeeded."""
    plan.paths.error.unlink(missing_ok=True)
    unidentified = unidentified_paths(plan.run)
    unidentified.error.unlink(missing_ok=True)
    with suppress(OSError):  # of another shard that was first, or of a user's file in it
        unidentified.directory.rmdir()
