"""Loader -> attack -> engine -> readout -> records, chunk by chunk."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.attacks.base import Attack, AttackResult, attacked, image_seed, known_logits
from oodbench.attacks.checks import Distances, ImageError, check_result
from oodbench.benchmarks.base import LabelReadout, Readout
from oodbench.core.errors import AttackError, OodbenchError, failure_line
from oodbench.core.interrupts import Interrupts
from oodbench.core.progress import Progress
from oodbench.engines.base import Forward, Pending
from oodbench.engines.pytorch import images_of
from oodbench.engines.resizing import Pixels, pixels_of
from oodbench.engines.settings import device_type
from oodbench.evaluation.batches import Batch, load_batches
from oodbench.evaluation.loading import Loader
from oodbench.evaluation.meaningless import refuse_meaningless
from oodbench.evaluation.rows import Columns, Computed, Rows
from oodbench.readouts import cross_entropy
from oodbench.runs.claims import Claims

log = logging.getLogger(__name__)

EXAMPLES = 4
"""Pictures on which a forward pass is prepared and compared with the eager one."""


@dataclass(frozen=True)
class Setting:
    """How a run's chunks are computed.

    Attributes:
        classifier: on `device`, in eval mode.
        prepare: a forward pass for pictures like these, uint8 `(n, H, W, 3)`, the first of the run.
        attack: None for a clean evaluation.
        seed: with an image's path, the source of all randomness of the attack.
    """

    loader: Loader
    readout: Readout
    classifier: nn.Module
    prepare: Callable[[NDArray[np.uint8]], Forward]
    device: str
    attack: Attack | None
    seed: int
    batch_size: int
    label_readout: LabelReadout | None = None


def evaluate(claims: Claims, setting: Setting, progress: Progress) -> None:
    """Compute and write the chunks that this process can claim, one after the other.

    On Ctrl-C, and when a batch system ends the process, the first items of a chunk are kept.

    Raises:
        KeyboardInterrupt: Ctrl-C, or a signal, see `oodbench.core.interrupts`.
        DataError: an item cannot be read and may not be left out.
        OutputError: the logits of a picture are no answer.
    """
    batches = load_batches(
        claims,
        setting.loader,
        progress,
        batch_size=setting.batch_size,
        pinned=device_type(setting.device) == "cuda",
    )
    rows = Rows(claims, setting.readout, setting.label_readout, device=setting.device)
    with Interrupts() as interrupts:
        try:
            for batch, computed in compute(batches, setting):
                with interrupts.held():
                    rows.add(batch, computed)
        except (KeyboardInterrupt, SystemExit):
            if interrupts.held_back and not interrupts.at_once:
                with interrupts.held():
                    _keep(rows)
            raise


def _keep(rows: Rows) -> None:
    """What cannot be kept is computed again; that must not hide the Ctrl-C."""
    try:
        rows.keep()
    except (OodbenchError, OSError) as error:
        log.warning("the chunk that was begun is not kept: %s", failure_line(error))


@dataclass(frozen=True)
class _Running:
    """A batch in the engine, and what an attack has recorded of it."""

    batch: Batch
    forward: Forward
    pending: Pending
    attacked: Columns
    batch_size: int

    def computed(self) -> Computed:
        """Wait for the logits.

        Raises:
            OutputError: those of a picture are no answer.
        """
        logits = self.pending.result()
        refuse_meaningless(logits, self.batch.frames)
        forward = self.forward
        at_once = getattr(forward, "most", None) or self.batch_size
        return Computed(
            logits, self.attacked, forward.name, forward.note, min(at_once, self.batch_size)
        )


@dataclass(frozen=True)
class _Done:
    """Logits that are already computed."""

    logits: NDArray[np.float32]

    def result(self) -> NDArray[np.float32]:
        return self.logits


def compute(batches: Iterator[Batch], setting: Setting) -> Iterator[tuple[Batch, Computed | None]]:
    """The batches in their order with what the engine made of them; None for one without frames.

    As many batches are in the engine at once as keep it busy.

    Raises:
        OutputError: the logits of a picture are no answer.
    """
    first, batches = _peek(batches)
    forwards = _Forwards(setting.prepare, first)
    in_flight: deque[tuple[Batch, _Running | None]] = deque()
    for batch in batches:
        if batch.frames:
            forward = forwards.of(batch)
            while len(in_flight) >= forward.depth:
                yield _finished(in_flight.popleft())
            in_flight.append((batch, _started(batch, forward, setting)))
        else:
            in_flight.append((batch, None))
    while in_flight:
        yield _finished(in_flight.popleft())


def _finished(entry: tuple[Batch, _Running | None]) -> tuple[Batch, Computed | None]:
    batch, running = entry
    return batch, running.computed() if running else None


def _peek(batches: Iterator[Batch]) -> tuple[list[Batch], Iterator[Batch]]:
    """The batches that hold the first pictures of the run, and all batches."""
    first: list[Batch] = []
    for batch in batches:
        first.append(batch)
        if sum(len(known.frames) for known in first) >= EXAMPLES:
            break
    return first, chain(first, batches)


class _Forwards:
    """A forward pass for each size of picture; nearly always there is one size."""

    def __init__(
        self, prepare: Callable[[NDArray[np.uint8]], Forward], first: Sequence[Batch]
    ) -> None:
        self._prepare = prepare
        self._first = [
            pixels.copy() for batch in first for pixels in pixels_of(batch.pixels[:EXAMPLES])
        ]
        self._known: dict[tuple[int, ...], Forward] = {}

    def of(self, batch: Batch) -> Forward:
        """The forward pass for the batch, made on the first pictures of its size."""
        shape = batch.pixels.shape[1:]
        if shape not in self._known:
            like = [pixels for pixels in self._first if pixels.shape == shape]
            example = np.stack(like[:EXAMPLES]) if like else pixels_of(batch.pixels)
            self._known[shape] = self._prepare(example)
        return self._known[shape]


def _started(batch: Batch, forward: Forward, setting: Setting) -> _Running:
    if setting.attack is None:
        pending = forward.start(_taken_by(forward, batch.pixels))
        return _Running(batch, forward, pending, {}, setting.batch_size)
    images = images_of(batch.pixels, torch.device(setting.device)).contiguous()
    clean = forward.logits(images)
    labels = torch.tensor([frame.item.label for frame in batch.frames], device=images.device)
    result, distances = _attacked(setting.attack, images, labels, clean, batch, setting)
    refuse_meaningless(clean, batch.frames)  # what the attack itself says of them is more exact
    found = forward.logits(result.images)
    columns = _columns(result, distances, labels, clean, found)
    return _Running(batch, forward, _Done(found), columns, setting.batch_size)


def _taken_by(forward: Forward, pixels: Pixels) -> Any:
    """The pixels as they are, or resized for a forward pass that does not do it."""
    return pixels if getattr(forward, "resizes", False) else pixels_of(pixels)


def _attacked(
    attack: Attack,
    images: Tensor,
    labels: Tensor,
    clean: NDArray[np.float32],
    batch: Batch,
    setting: Setting,
) -> tuple[AttackResult, Distances]:
    frames = batch.frames
    seeds = [image_seed(setting.seed, frame.name) for frame in frames]
    known = known_logits(attack, torch.tensor(clean, device=images.device))  # a copy of its own
    try:
        result = attacked(attack, setting.classifier, images, labels, seeds, known)
        distances = check_result(images, result, attack.eps, attack.norm)
    except ImageError as error:
        name = frames[error.position].name
        raise AttackError(f"attack={attack.name}: {name} {error.complaint}") from error
    return result, distances


def _columns(
    result: AttackResult,
    distances: Distances,
    labels: Tensor,
    clean: NDArray[np.float32],
    found: NDArray[np.float32],
) -> Columns:
    """What is recorded of an attack, whose success the scored prediction has to confirm.

    Args:
        result: of the attack.
        distances: of its pictures.
        labels: int64 `(N,)`.
        clean, found: logits `(N, K)` before and under the attack.
    """
    extra = {name: values.cpu().numpy() for name, values in result.columns.items()}
    pursued = result.columns.get("target", labels).cpu().numpy()
    at_label = found.argmax(axis=1) == labels.cpu().numpy()
    at_goal = ~at_label if result.any_error else found.argmax(axis=1) == pursued
    succeeded = result.succeeded.cpu().numpy()
    return {
        "clean_prediction": clean.argmax(axis=1).astype(np.int16),
        "clean_loss": cross_entropy(clean, pursued),
        "attack_succeeded": succeeded & at_goal,
        "attack_contradicted": succeeded & ~at_goal,
        "attack_iterations": result.iterations.cpu().numpy().astype(np.int32),
        "linf": distances.linf.cpu().numpy(),
        "l2": distances.l2.cpu().numpy(),
        **extra,
    }
