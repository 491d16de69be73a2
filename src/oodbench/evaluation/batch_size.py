"""How many pictures a batch has, by the size of pictures and network and the memory of the card."""

import logging
from collections.abc import Sequence

import torch
from torch import nn

from oodbench.attacks.base import Attack
from oodbench.core.errors import DataError
from oodbench.engines.settings import default_batch_size, power_of_two
from oodbench.evaluation.reader import Reader
from oodbench.models.device_memory import free_bytes, is_out_of_memory, peak_of
from oodbench.runs.chunks import Chunk
from oodbench.runs.plan import Plan
from oodbench.runs.records import ChunkInfo

SHARE = 0.4
"""Of the free memory, for what a batch takes at its peak: graphs keep as much again."""

TRIED = 2
"""Pictures of the pass that is measured: one alone may get algorithms that batches do not."""

log = logging.getLogger(__name__)


def batch_size_of(
    plan: Plan,
    classifier: nn.Module,
    shape: tuple[int, int, int] | None,
    kept: ChunkInfo | None,
    *,
    attack: Attack | None,
) -> int:
    """What `engine.batch_size` says; else on a CPU a fixed number, on an accelerator what the run
    began with, and at its beginning as many as keep it busy and fit.

    Args:
        plan: of the run.
        classifier: on the device.
        shape: see `first_shape`.
        kept: see `oodbench.evaluation.kept_rows`.
        attack: on the pictures, if any: what gradients take, it sees to itself.
    """
    given = plan.run.engine.batch_size
    if given is not None:
        return given
    refills = getattr(attack, "refills_batches", False)
    if plan.device == "cpu" or shape is None:
        return default_batch_size(plan.device, attack=attack is not None, refills=refills)
    if kept is not None:
        return kept.batch_size
    _, height, width = shape
    most = default_batch_size(plan.device, refills=refills, pixels=height * width)
    return min(most, fitting(classifier, (height, width), torch.device(plan.device)))


def first_shape(read: Reader, chunks: Sequence[Chunk]) -> tuple[int, int, int] | None:
    """Frames, height and width of the first item that can be read; None where there is none."""
    for chunk in chunks:
        items = chunk.split.list_items()
        for position in range(chunk.start, chunk.stop):
            try:
                frames, height, width, _ = read(chunk.split, position, items[position]).shape
            except DataError:  # said where it is evaluated
                continue
            return frames, height, width
    return None


def fitting(classifier: nn.Module, shape: tuple[int, int], device: torch.device) -> int:
    """The largest power of two for which a pass without gradients has room, at least 1.

    Args:
        classifier: on the device.
        shape: height and width of the pictures.
        device: whose memory is asked for.
    """

    def one_pass() -> None:
        with torch.inference_mode():
            classifier(torch.zeros(TRIED, 3, *shape, device=device))

    try:
        taken = max(1, peak_of(one_pass, device))
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return 1
    found = power_of_two(SHARE * free_bytes(device) * TRIED / taken)
    log.info("engine.batch_size: %d pictures of %d x %d fit on %s", found, *shape, device)
    return found
