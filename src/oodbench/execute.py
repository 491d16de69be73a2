"""Carry out a plan: build the parts, evaluate what is missing, score when all is there."""

import logging
import platform
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from oodbench.attack_report import stored_report
from oodbench.attacks.base import Attack
from oodbench.attacks.transfer import Transfer
from oodbench.attacks.transfer_store import TransferStore
from oodbench.benchmarks.pictures import clip_decoder
from oodbench.building import build
from oodbench.difference import difference
from oodbench.engines.base import Engine
from oodbench.evaluate import Chunk, Setting, evaluate
from oodbench.files import read_json, write_json
from oodbench.key import dataset_fingerprint, run_key, transfer_document
from oodbench.models.build import build_classifier
from oodbench.models.class_lists import missing_classes
from oodbench.models.weights import find_weights
from oodbench.paths import transfer_directory
from oodbench.plan import Plan, unidentified_paths
from oodbench.progress import Progress
from oodbench.records import chunk_path, read_info
from oodbench.results import RunResult, write_result
from oodbench.schema import ModelConfig, source_model
from oodbench.scoring import score_records, split_counts, status_of

log = logging.getLogger(__name__)

LIBRARIES = ("oodbench", "torch", "torchvision", "timm", "torchattacks", "pillow", "numpy", "av")

_last_classifier: dict[str, nn.Module] = {}
"""The one classifier that is kept: a sweep runs all benchmarks of a model one after the other."""


def execute(plan: Plan) -> RunResult | None:
    """Evaluate this shard's missing chunks; the result, or None while other shards' are missing."""
    if plan.weights is None:
        shutil.rmtree(plan.paths.directory, ignore_errors=True)
    write_json(plan.paths.key_document, plan.document)
    todo = [chunk for chunk in _own_chunks(plan) if not _is_whole(plan, chunk)]
    started = datetime.now(UTC)
    clock = time.monotonic()
    n_items = sum(chunk.stop - chunk.start for chunk in todo)
    log.info(
        "%s: %d items to evaluate on %s: %s", plan.cell, n_items, plan.device, plan.paths.directory
    )
    if todo:
        setting = _setting(plan)
        with Progress(n_items, plan.cell) as progress:
            evaluate(todo, setting, plan.paths.records, progress)
    seconds = time.monotonic() - clock
    _write_info(plan, started, seconds, n_items)
    if not all(_is_whole(plan, chunk) for chunk in _chunks(plan)):
        return None
    result = _result(plan)
    write_result(plan.paths.result, result)
    _forget_failures(plan)
    return replace(result, directory=plan.paths.directory)


def _chunks(plan: Plan) -> list[Chunk]:
    size = plan.run.benchmark.chunk_size
    return [
        Chunk(split, number, start, min(start + size, plan.counts[split.name]))
        for split in plan.splits
        for number, start in enumerate(range(0, plan.counts[split.name], size))
    ]


def _own_chunks(plan: Plan) -> list[Chunk]:
    shard = plan.run.shard
    return _chunks(plan)[shard.index :: shard.count]


def _is_whole(plan: Plan, chunk: Chunk) -> bool:
    """Whether the file covers the chunk; one with unreadable items is tried again on `stop`."""
    info = read_info(chunk_path(plan.paths.records, chunk.split.name, chunk.number))
    if info is None or info.n_items < chunk.stop - chunk.start:
        return False
    return not info.skipped or plan.run.data.on_error == "skip"


def _setting(plan: Plan) -> Setting:
    run = plan.run
    if run.engine.threads is not None:
        torch.set_num_threads(run.engine.threads)
    engine: Engine = build(run.engine.backend, "engine.backend")
    attack = _attack(plan) if "_target_" in run.attack else None
    return Setting(
        benchmark=plan.benchmark,
        transform=build(run.preprocessing, "preprocessing"),
        classifier=_classifier(plan),
        engine=engine,
        engine_name=run.engine.name,
        device=plan.device,
        attack=attack,
        seed=run.seed,
        batch_size=run.engine.batch_size,
        workers=run.data.workers,
        skip_unreadable=run.data.on_error == "skip",
    )


def _attack(plan: Plan) -> Attack:
    """The attack; one that is made on another model with that model and its pictures on disk."""
    attack: Attack = build(plan.run.attack, "attack")
    source = source_model(plan.run.attack)
    if source is not None and isinstance(attack, Transfer):
        document = transfer_document(plan.document)
        directory = transfer_directory(Path(plan.run.output_root), run_key(document))
        write_json(directory / "key.json", document)
        log.info("%s: pictures made on %s: %s", plan.cell, source.name, directory)
        attack.connect(lambda: _built(source, plan), TransferStore(directory))
    return attack


def _classifier(plan: Plan) -> nn.Module:
    run = plan.run
    label = repr((plan.document["model"], plan.device))
    if plan.weights is not None and label in _last_classifier:
        return _last_classifier[label]
    _last_classifier.clear()
    classifier = _built(run.model, plan)
    _last_classifier[label] = classifier
    return classifier


def _built(model: ModelConfig, plan: Plan) -> nn.Module:
    """A model with its weights on the run's device."""
    weights = plan.run.weights
    files = find_weights(model.name, model.weights, Path(weights.dir), download=weights.download)
    classifier = build_classifier(model, weights_files=files).to(plan.device)
    classifier.check_outputs(model.input_size)
    return classifier


def _result(plan: Plan) -> RunResult:
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
        notes=_notes(plan),
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
    return notes


def _write_info(plan: Plan, started: datetime, seconds: float, n_items: int) -> None:
    """Append this session to run.json."""
    stored = read_json(plan.paths.info)
    sessions = stored["sessions"] if isinstance(stored, dict) else []
    session: dict[str, Any] = {
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "items": n_items,
        "items_per_second": round(n_items / seconds, 2) if n_items and seconds else None,
        "engine": plan.run.engine.name,
        "device": plan.device,
        "batch_size": plan.run.engine.batch_size,
        "workers": plan.run.data.workers,
        "host": platform.node(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
        "clip_decoder": clip_decoder(),
    }
    write_json(plan.paths.info, {"sessions": [*sessions, session]})


def _forget_failures(plan: Plan) -> None:
    """A good run takes back the failures of the same cell, also those without a key."""
    plan.paths.error.unlink(missing_ok=True)
    unidentified = unidentified_paths(plan.run)
    if unidentified.directory.is_dir():
        shutil.rmtree(unidentified.directory)
