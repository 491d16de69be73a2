"""Carry out a plan: evaluate what is missing, score when all is there."""

import logging
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import torch

from oodbench.benchmarks.base import counted_items, item_name
from oodbench.core.budget import budget_note
from oodbench.core.building import build, by_content
from oodbench.core.errors import DataError
from oodbench.core.files import locked, write_json
from oodbench.core.ids import frozen
from oodbench.core.lease import SUFFIX, Leases, Owner, wait_until_free
from oodbench.core.own_code.identity import unknown_code
from oodbench.core.progress import Progress
from oodbench.core.schema import source_model
from oodbench.core.versions import versions
from oodbench.data import depth
from oodbench.data.containers.opened import named_by_contents
from oodbench.data.pictures import clip_decoder
from oodbench.engines.full_device import memory_in_one_line
from oodbench.evaluation.assemble import attack_traits, setting_of
from oodbench.evaluation.choose_reading import reading_of
from oodbench.evaluation.evaluate import evaluate
from oodbench.evaluation.failures import forget_failures
from oodbench.evaluation.reader import Reader
from oodbench.models.class_lists import missing_classes
from oodbench.models.device_memory import forget_peak, peak_bytes
from oodbench.models.zero_shot.texts import described
from oodbench.runs.chunks import (
    Chunk,
    all_chunks,
    chunk_info,
    is_whole,
    missing_chunks,
)
from oodbench.runs.claims import Claims
from oodbench.runs.done import covering, stored_result
from oodbench.runs.key import dataset_fingerprint
from oodbench.runs.label_check import OFF, refuse_wrong_labels
from oodbench.runs.leftovers import remove_leftovers
from oodbench.runs.naming.difference import difference
from oodbench.runs.official_counts import expected_counts, totals
from oodbench.runs.plan import Plan, decoders
from oodbench.runs.records import ChunkInfo, chunk_files
from oodbench.runs.results import RunResult, write_result
from oodbench.runs.same_records import take_over
from oodbench.runs.scoring import score_records, split_counts, status_of
from oodbench.runs.scoring_code import scoring_code
from oodbench.runs.sessions import append_session
from oodbench.runs.skipping import most_skipped, too_many_skipped
from oodbench.runs.summaries.store import write_summary
from oodbench.runs.summaries.summary import Summary
from oodbench.runs.unknown import Unknown

log = logging.getLogger(__name__)

LIBRARIES = (
    *("oodbench", "torch", "torchvision", "timm", "torchattacks", "openvino", "onnxruntime"),
    *("pillow", "numpy", "av"),
)


def execute(plan: Plan) -> RunResult | None:
    """Evaluate this shard's missing chunks; the result, or None while other shards' are missing.

    Chunks that another process computes are left to it, and waited for at the end: should it die,
    or have been asked for fewer items, they are computed here. All that a result on disk covers is
    counted as asked for.
    """
    started = datetime.now(UTC)
    clock = time.monotonic()
    words = difference(plan.run)  # before hours of work: it refuses what cannot be compared
    with Leases() as leases:
        if (unknown := plan.unknown) is not None:
            _begin_anew(plan, leases, unknown)
        plan = covering(plan, stored_result(plan))
        write_json(plan.paths.key_document, plan.document)
        remove_leftovers(plan.paths)
        take_over(plan)
        forget_peak(torch.device(plan.device))
        computed = _compute_missing(plan, leases)
        remove_leftovers(plan.paths)  # of those, too, that were only now known to be gone
        _write_info(plan, started, time.monotonic() - clock, computed)
        result = _settled(plan, words)
    if result is not None:
        forget_failures(plan)
    return result


def _compute_missing(plan: Plan, leases: Leases) -> list[Chunk]:
    """Compute what is missing until nothing is; the chunks that this process has computed."""
    computed: list[Chunk] = []
    todo = list(missing_chunks(plan))
    log.info(
        "%s: %s to evaluate on %s: %s",
        *(plan.cell, counted_items(plan.benchmark, _n_items(todo)), plan.device),
        plan.paths.directory,
    )
    if todo:
        refuse_wrong_labels(plan)
    for note in _pixel_notes(plan) if todo else ():
        log.warning("%s: %s", plan.cell, note)
    while todo:
        claims = Claims(plan, todo, leases)
        if claims.any_free():
            _compute(plan, claims, todo)
        computed += claims.written
        if not claims.others:
            break
        if not claims.written:
            wait_until_free(claims.others, partial(_say_who_computes, plan))
        todo = list(missing_chunks(plan))
    return computed


def _pixel_notes(plan: Plan) -> list[str]:
    """What the preprocessing says of its pixels, where it has something to say."""
    preprocessing = build(plan.run.preprocessing, "preprocessing")
    return list(getattr(preprocessing, "notes", ()))


def _compute(plan: Plan, claims: Claims, todo: Sequence[Chunk]) -> None:
    with (
        Reader(reading_of(plan), plan.benchmark) as read,
        Progress(_n_items(todo), plan.cell, item_name(plan.benchmark)) as progress,
        memory_in_one_line(plan.device),
    ):
        evaluate(claims, setting_of(plan, read, todo), progress)


def _say_who_computes(plan: Plan, owner: Owner) -> None:
    log.info("%s: %s computes what is missing of this run: waiting for it", plan.cell, owner)


def _n_items(chunks: Sequence[Chunk]) -> int:
    return sum(chunk.stop - chunk.start for chunk in chunks)


def _settled(plan: Plan, words: Sequence[str]) -> RunResult | None:
    """Write the result once all chunks are there; None while those of other shards are missing.

    Another process may have written one meanwhile: the result is of all that either was asked for.
    """
    while True:
        infos = [(chunk, chunk_info(plan, chunk)) for chunk in all_chunks(plan)]
        skips = plan.run.data.on_error == "skip"
        if not all(is_whole(chunk, info, skips=skips) for chunk, info in infos):
            return None
        notes = sorted({info.note for _, info in infos if info and info.note})
        result, summary = _result(plan, words, [*_deep_note(plan, infos), *notes])
        with locked(plan.paths.info):
            larger = covering(plan, stored_result(plan))
            if larger.counts == plan.counts:
                write_summary(plan.paths, result, summary)
                write_result(plan.paths.result, result)
                return replace(result, directory=plan.paths.directory)
        plan = larger


def _begin_anew(plan: Plan, leases: Leases, unknown: Unknown) -> None:
    """Remove what a run before this one wrote, and nothing else that lies in the folder.

    Raises:
        DataError: another process is computing it: neither could tell the other's chunks.
    """
    paths = plan.paths
    if (owner := leases.take_watched(paths.directory / f".run{SUFFIX}")) is not None:
        raise DataError(
            f"{paths.directory}: {owner} computes this run, and the {unknown.what} are unknown: "
            f"wait for it, or set {unknown.mend}"
        )
    chunks = [path for split in plan.splits for path in chunk_files(paths.records, split.name)]
    for path in (paths.result, paths.summary, paths.info, paths.key_document, paths.error, *chunks):
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


def _result(
    plan: Plan, words: Sequence[str], found_notes: Sequence[str]
) -> tuple[RunResult, Summary]:
    run = plan.run
    traits = attack_traits(plan)
    published = run.benchmark.published(run.model.family)
    config = {
        "model": plan.document["model"],
        "preprocessing": frozen(run.preprocessing),
        "attack": frozen(run.attack),
        "seed": run.seed,
        "benchmark": {
            "protocol": frozen(by_content(run.benchmark.protocol)),
            "version": run.benchmark.version,
            **scoring_code(run.benchmark.protocol, run.code.identity),
        },
    }
    scored = score_records(plan.benchmark, plan.paths.records, plan.counts, traits, key=plan.key)
    expected = expected_counts(run.benchmark, plan.splits)
    not_counted = [split.name for split in plan.splits if not split.is_count_known]
    splits = split_counts(plan.paths.records, plan.counts, expected, scored.n_read, not_counted)
    _refuse_too_many_skipped(plan, splits)
    official = [split.name for split in plan.splits if split.official]
    n_images, n_expected = totals(splits, official, len(plan.missing_splits))
    result = RunResult(
        key=plan.key,
        model=run.model.name,
        benchmark=run.benchmark.name,
        preprocessing=str(run.preprocessing["name"]),
        attack=str(run.attack["name"]),
        difference=list(words),
        status=status_of(splits, plan.missing_splits),
        demo=plan.demo,
        extension=bool(published and published.extension),
        headline=plan.benchmark.headline,
        n_images=n_images,
        n_expected=n_expected,
        splits=splits,
        missing_splits=list(plan.missing_splits),
        notes=[*_notes(plan), *found_notes, *_left_out_note(scored.n_left_out)],
        scores=scored.scores,
        weights=plan.weights.identity,
        precision=run.engine.precision,
        dataset_fingerprint=dataset_fingerprint(plan.splits),
        config=config,
        attack_traits=traits,
        attack_report=scored.attack_report,
        column=run.benchmark.column,
        official=run.benchmark.is_official,
        trained_on=run.model.trained_on,
    )
    return result, scored.summary


def _left_out_note(count: int) -> list[str]:
    if not count:
        return []
    return [
        f"{count} pictures are not attacked and not scored, for attack.target is their label: "
        "attack.target_is_label=next takes the next class for them"
    ]


def _refuse_too_many_skipped(plan: Plan, splits: Mapping[str, Mapping[str, Any]]) -> None:
    """Each shard has left out no more than the run may, but all of them together may have.

    Raises:
        DataError: they have.
    """
    skipped = [item for split in splits.values() for item in split["skipped"]]
    data, n_items = plan.run.data, sum(plan.counts.values())
    if len(skipped) > most_skipped(data, n_items):
        raise too_many_skipped(data, len(skipped), n_items, skipped[-1]["reason"])


def _notes(plan: Plan) -> list[str]:
    notes = _pixel_notes(plan)
    if not all(split.is_count_known for split in plan.splits):
        notes.append(
            "no source says how many pictures there are: those that were found are taken for all"
        )
    if plan.run.model.prompts is not None:
        network = plan.run.model.network
        notes.append(described(network["prompts"], network["class_names"]))
    if plan.demo:
        notes.append("demo data: not comparable with published numbers")
    identity = plan.weights.identity
    if identity is None:
        notes.append("identity of the weights unknown")
    elif identity.startswith("random:"):
        notes.append("random weights")
    if any(named_by_contents(split.root) for split in plan.splits):
        notes.append(
            "the container names no pictures: they are named by what they hold, and records differ "
            "from those of a folder"
        )
    if plan.run.data.verify == "sizes":
        notes.append("data.verify=sizes: not looked at whether the pictures have changed")
    if plan.run.data.check == OFF:
        notes.append("data.check=off: labels were not compared with the known list")
    if modules := unknown_code(plan.document):
        notes.append(f"no source of {', '.join(modules)}: its identity is unknown")
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
    n_items = _n_items(computed)
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
        "peak_memory": peak_bytes(torch.device(plan.device)) if info else None,
        "host": platform.node(),
        "python": platform.python_version(),
        "versions": versions(LIBRARIES),
        "clip_decoder": clip_decoder(),
    }
    append_session(plan.paths.info, session)
