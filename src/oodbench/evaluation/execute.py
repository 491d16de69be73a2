"""Carry out a plan: evaluate what is missing, score when all is there."""

import logging
import platform
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from oodbench.core.budget import budget_note
from oodbench.core.files import read_json, write_json
from oodbench.core.progress import Progress
from oodbench.core.versions import versions
from oodbench.data.pictures import clip_decoder
from oodbench.evaluation.assemble import setting_of
from oodbench.evaluation.evaluate import evaluate
from oodbench.evaluation.reader import Reader
from oodbench.models.class_lists import missing_classes
from oodbench.runs.attacked import stored_report
from oodbench.runs.chunks import Chunk, all_chunks, chunk_info, is_whole, missing_chunks
from oodbench.runs.difference import difference
from oodbench.runs.key import dataset_fingerprint
from oodbench.runs.plan import Plan, decoders, unidentified_paths
from oodbench.runs.results import RunResult, write_result
from oodbench.runs.scoring import score_records, split_counts, status_of

log = logging.getLogger(__name__)

LIBRARIES = (
    *("oodbench", "torch", "torchvision", "timm", "torchattacks", "openvino", "onnxruntime"),
    *("pillow", "numpy", "av"),
)


def execute(plan: Plan) -> RunResult | None:
    """Evaluate this shard's missing chunks; the result, or None while other shards' are missing."""
    if plan.weights is None:
        shutil.rmtree(plan.paths.directory, ignore_errors=True)
    write_json(plan.paths.key_document, plan.document)
    todo = list(missing_chunks(plan))
    started = datetime.now(UTC)
    clock = time.monotonic()
    n_items = sum(chunk.stop - chunk.start for chunk in todo)
    log.info(
        "%s: %d items to evaluate on %s: %s", plan.cell, n_items, plan.device, plan.paths.directory
    )
    if todo:
        with Reader(plan) as read, Progress(n_items, plan.cell) as progress:
            evaluate(todo, setting_of(plan, read), plan.paths.records, progress)
    seconds = time.monotonic() - clock
    _write_info(plan, started, seconds, todo)
    infos = [(chunk, chunk_info(plan, chunk)) for chunk in all_chunks(plan)]
    if not all(is_whole(plan, chunk, info) for chunk, info in infos):
        return None
    result = _result(plan, sorted({info.note for _, info in infos if info and info.note}))
    write_result(plan.paths.result, result)
    _forget_failures(plan)
    return replace(result, directory=plan.paths.directory)


def _result(plan: Plan, engine_notes: Sequence[str]) -> RunResult:
    run = plan.run
    expected = {split.name: split.n_expected for split in plan.splits}
    splits = split_counts(plan.paths.records, plan.counts, expected)
    published = run.benchmark.published_preprocessing.get(run.model.family)
    config = {
        "model": plan.document["model"],
        "preprocessing": run.preprocessing,
        "attack": run.attack,
        "seed": run.seed,
        "benchmark": {"protocol": run.benchmark.protocol, "version": run.benchmark.version},
    }
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
        notes=[*_notes(plan), *engine_notes],
        scores=score_records(plan.benchmark, plan.paths.records, plan.counts),
        weights=plan.weights,
        precision=run.engine.precision,
        dataset_fingerprint=dataset_fingerprint(plan.splits),
        config=config,
        attack_report=stored_report(plan.paths.records, plan.counts, config),
    )


def _notes(plan: Plan) -> list[str]:
    notes = []
    if plan.demo:
        notes.append("demo data: not comparable with published numbers")
    if plan.weights is None:
        notes.append("identity of the weights unknown")
    if plan.weights is not None and plan.weights.startswith("random:"):
        notes.append("random weights")
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
    stored = read_json(plan.paths.info)
    sessions = stored["sessions"] if isinstance(stored, dict) else []
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
    write_json(plan.paths.info, {"sessions": [*sessions, session]})


def _forget_failures(plan: Plan) -> None:
    """Remove the failures of the same cell, also those without a key: this run succeeded."""
    plan.paths.error.unlink(missing_ok=True)
    unidentified = unidentified_paths(plan.run)
    if unidentified.directory.is_dir():
        shutil.rmtree(unidentified.directory)
