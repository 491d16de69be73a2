"""Carry out a plan: features, training, checkpoints, and the file of the classifier."""

import logging
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import Any

from oodbench.core.files import write_json
from oodbench.engines.pytorch import set_precision
from oodbench.metrics.intervals import wilson
from oodbench.metrics.score import Score, format_score
from oodbench.preprocessing import Transform
from oodbench.probe.backbone import build_backbone
from oodbench.probe.checkpoint import read_checkpoint, restore, write_checkpoint, write_head
from oodbench.probe.features import (
    ComputedFeatures,
    FeatureSource,
    StoredFeatures,
    progress_of,
    store,
)
from oodbench.probe.listing import ListedPictures
from oodbench.probe.log import TensorBoard, write_csv
from oodbench.probe.pixels import RandomCropAndFlip, centre_crop_transform
from oodbench.probe.plan import ProbePlan
from oodbench.probe.processes import Processes, decoding_processes
from oodbench.probe.training import Interrupted, Row, Trainer, TrainingState, initial_state

log = logging.getLogger(__name__)


def train_probe(plan: ProbePlan, processes: Processes) -> bool:
    """Train, or find that it is done; write the classifier where it is missing.

    Returns:
        Whether it was done already.

    Raises:
        KeyboardInterrupt: on Ctrl-C or SIGTERM; the checkpoint is kept.
        OodbenchError: one line that says what to fix.
    """
    kept = read_checkpoint(plan.paths.checkpoint, key=plan.key) if processes.writes else None
    kept = processes.broadcast(kept)
    if done := kept is not None and kept["epoch"] == plan.probe.recipe.epochs:
        log.info("%s: done already: %s", plan.probe.model.name, plan.paths.directory)
    else:
        _train(plan, kept, processes)
    if processes.writes:
        _finish(plan)
    processes.wait()
    return done


def describe_probe(plan: ProbePlan) -> str:
    """The result of a finished training, for the terminal."""
    content = read_checkpoint(plan.paths.checkpoint, key=plan.key)
    row: Row = content["rows"][-1] if content else {}
    n = plan.val.summary.n_files
    low, high = wilson(round(row["val_top1"] * n), n)
    top1 = Score(row["val_top1"], low, high, n, "fraction", higher_is_better=True)
    return "\n".join(
        [
            f"{plan.probe.model.name}, linear probe, {plan.probe.recipe.epochs} epochs"
            + _partial(plan),
            f"  top1  {format_score(top1)}",
            f"  log   {plan.paths.log}",
            f"  head  {plan.head_file}",
        ]
    )


def _partial(plan: ProbePlan) -> str:
    n, expected = plan.train.summary.n_files, plan.probe.data.train_expected
    if plan.probe.data.classes == "folders" or n == expected:
        return ""
    return f"  [partial: {n} of {expected} training pictures]"


def _train(plan: ProbePlan, kept: dict[str, Any] | None, processes: Processes) -> None:
    probe = plan.probe
    set_precision(probe.precision, processes.device.type, "precision")
    backbone = build_backbone(
        probe.model,
        plan.weights_files,
        precision=probe.precision,
        forward_batch_size=probe.forward_batch_size,
    ).to(processes.device)
    if processes.device.type == "cuda":
        backbone.to(memory_format=backbone.layout)
    state = initial_state(
        backbone.dimension,
        len(plan.classes),
        probe.recipe,
        seed=probe.seed,
        device=processes.device,
    )
    if kept is not None:
        restore(state, kept)
    if processes.writes:
        write_json(plan.paths.key_document, plan.document)
        log.info("%s: training in %s", probe.model.name, plan.paths.directory)

    workers = decoding_processes(probe.data.workers)

    def computed(split: ListedPictures, transform: Transform) -> ComputedFeatures:
        pictures = split.pictures(plan.classes)
        return ComputedFeatures(backbone, pictures, transform, workers, probe.seed)

    def stored(split: ListedPictures, name: str) -> StoredFeatures:
        source = computed(split, centre_crop_transform(probe.preprocessing))
        return store(plan.paths.features / f"{name}.npy", source, processes, f"{name} features")

    val = stored(plan.val, "val")
    if probe.recipe.augment == "none":
        source: FeatureSource = stored(plan.train, "train")
    else:
        size, interpolation = probe.preprocessing.crop, probe.preprocessing.interpolation
        source = computed(plan.train, RandomCropAndFlip(size, interpolation))
    _run_epochs(plan, state, source, val, processes)


def _run_epochs(
    plan: ProbePlan,
    state: TrainingState,
    source: FeatureSource,
    val: StoredFeatures,
    processes: Processes,
) -> None:
    recipe, n = plan.probe.recipe, plan.train.summary.n_files
    left = (recipe.epochs - state.epoch) * n - min(n, state.step * recipe.batch_size)
    keeper = Keeper(plan, state, writes=processes.writes)
    label = f"{plan.probe.model.name}, {recipe.epochs} epochs"
    with stop_flag() as stop, progress_of(left, label, processes) as progress:

        def after_step(state: TrainingState, size: int) -> None:
            progress.advance(size)
            keeper.after_step(state)

        trainer = Trainer(
            recipe=recipe,
            source=source,
            n=n,
            val=val,
            seed=plan.probe.seed,
            processes=processes,
            after_step=after_step,
            after_epoch=keeper.after_epoch,
            stop_asked=lambda: bool(stop),
        )
        try:
            trainer.train(state)
        except Interrupted:
            keeper.keep(state)
            raise KeyboardInterrupt from None
        finally:
            keeper.close()


class Keeper:
    """Writes the checkpoint and the log, if this is the process that writes.

    Args:
        plan: paths, the key and how often.
        state: as the training starts or goes on.
        writes: whether this process is the one.
    """

    def __init__(self, plan: ProbePlan, state: TrainingState, *, writes: bool) -> None:
        self._plan = plan
        self._writes = writes
        self._seconds = plan.probe.checkpoint_minutes * 60
        self._last = time.monotonic()
        self._board = (
            TensorBoard(plan.paths.tensorboard, state.rows)
            if writes and plan.probe.tensorboard
            else None
        )

    def close(self) -> None:
        """Close the log: nothing more will come."""
        if self._board is not None:
            self._board.close()

    def keep(self, state: TrainingState) -> None:
        """Write the checkpoint now."""
        if self._writes:
            write_checkpoint(self._plan.paths.checkpoint, state, key=self._plan.key)
        self._last = time.monotonic()

    def after_step(self, state: TrainingState) -> None:
        """Write the checkpoint if it is time."""
        if time.monotonic() - self._last >= self._seconds:
            self.keep(state)

    def after_epoch(self, state: TrainingState) -> None:
        """Write the checkpoint and the log."""
        self.keep(state)
        if not self._writes:
            return
        row = state.rows[-1]
        write_csv(self._plan.paths.log, state.rows)
        if self._board is not None:
            self._board.add(row)
        log.info(
            "epoch %d of %d: lr %g, loss %.4f, top1 %.4f; validation: loss %.4f, top1 %.4f",
            *(row["epoch"], self._plan.probe.recipe.epochs, row["lr"], row["train_loss"]),
            *(row["train_top1"], row["val_loss"], row["val_top1"]),
        )


@contextmanager
def stop_flag() -> Iterator[list[int]]:
    """A list that Ctrl-C or SIGTERM appends to, so that no step is left half done.

    The second Ctrl-C interrupts at once.
    """
    received: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, remember) for number in numbers]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _finish(plan: ProbePlan) -> None:
    """Write the classifier's file and the log, and remove features that are no longer needed."""
    content = read_checkpoint(plan.paths.checkpoint, key=plan.key)
    if content is None:
        return
    write_csv(plan.paths.log, content["rows"])
    if not plan.head_file.is_file() or plan.probe.overwrite:
        facts = {
            "key": plan.key,
            "recipe": asdict(plan.probe.recipe),
            "backbone": {"model": plan.probe.model.name, "weights": plan.backbone},
            "classes": list(plan.classes),
            "val_top1": content["rows"][-1]["val_top1"],
            "n_train": plan.train.summary.n_files,
            "n_val": plan.val.summary.n_files,
        }
        write_head(plan.head_file, content["head"], facts)
    shutil.rmtree(plan.paths.features, ignore_errors=True)
