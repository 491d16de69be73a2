"""Where the pictures of a run are resized: by its workers, or on the device that computes."""

import logging
from typing import Any

import numpy as np
import torch
from PIL import Image

from oodbench.benchmarks.base import unresized_by
from oodbench.core.building import build
from oodbench.core.errors import one_line
from oodbench.core.resampling.packed import packed
from oodbench.engines.resizing import Copied
from oodbench.evaluation.reader import Reading
from oodbench.runs.plan import Plan, resizes_later

SIZES = ((500, 375), (375, 500), (333, 500), (300, 300), (640, 427), (190, 240), (800, 600))
"""Widths and heights of pictures on which both are compared."""

log = logging.getLogger(__name__)


def reading_of(plan: Plan) -> Reading:
    """How the pictures of a run are read."""
    return Reading(plan.run, plan.document, plan.counts, resized_later(plan))


def resized_later(plan: Plan) -> bool:
    """Whether the device resizes, where that gives the very pixels of the workers."""
    if not resizes_later(plan.run, plan.device):
        return False
    transform = build(plan.run.preprocessing, "preprocessing")
    return unresized_by(plan.benchmark, transform) is not None and _agrees(plan, transform)


_known: dict[tuple[str, str], bool] = {}
"""By preprocessing and device: a sweep need not ask again."""


def _agrees(plan: Plan, transform: Any) -> bool:
    """Whether the device makes the same pixels of pictures of noise; if not, a line says so."""
    case = repr(sorted(plan.run.preprocessing.items())), plan.device
    if case not in _known:
        try:
            _known[case] = _same(transform, torch.device(plan.device))
            reason = "it makes other pixels"
        except RuntimeError as error:
            _known[case], reason = False, one_line(error, 200)
        if not _known[case]:
            log.warning("data.resizing: the workers resize, not %s: %s", plan.device, reason)
    return _known[case]


def _same(transform: Any, device: torch.device) -> bool:
    random = np.random.default_rng(0)
    pictures = [
        Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))
        for width, height in SIZES
    ]
    for picture in pictures:
        unresized = transform.unresized(picture)
        if unresized is not None:
            batch = packed([unresized])
            (found,) = Copied(batch, device).pixels().cpu().numpy()
            if not np.array_equal(found, transform(picture)):
                return False
    return True
