"""Whether a device predicts what the CPU predicts, and how far each precision is from it."""

from collections.abc import Iterator

import numpy as np
from gpu_common import Job, Pixels, Row, opened, pixels_of, planned, row, through
from numpy.typing import NDArray

from oodbench.evaluation.evaluate import EXAMPLES
from oodbench.runs.plan import Plan

MODELS = ("efficientnet_lite0", "resnet50")
CLOSE = 2e-3
"""Two best logits as near as that may come in either order."""

TOLERANCE = 1e-3
"""Of a logit in fp32."""

Logits = NDArray[np.float32]


def predictions(job: Job) -> Iterator[Row]:
    """Each precision against eager on the CPU in fp32."""
    for model in job.pick(MODELS, MODELS[:1]):
        on_cpu = planned(job, model, "engine=eager", "engine.device=cpu")
        pixels = pixels_of(on_cpu, job.pick(100, 8))
        expected = logits(on_cpu, pixels)
        for precision in ("fp32", "tf32", "bf16", "fp16") if job.on_cuda else ("fp32", "bf16"):
            plan = planned(job, model, "engine=eager", f"engine.precision={precision}")
            yield agreement(job, f"{model}, {precision}", logits(plan, pixels), expected)


def logits(plan: Plan, pixels: Pixels) -> Logits:
    with opened(plan) as setting:
        forward = setting.prepare(pixels[:EXAMPLES])
        size = setting.batch_size
        batches = (pixels[start : start + size] for start in range(0, len(pixels), size))
        return np.concatenate(list(through(forward, batches)))


def agreement(job: Job, what: str, found: Logits, expected: Logits) -> Row:
    """Share of equal predictions; of fp32 all must be, but for those that are close."""
    best = np.sort(expected, axis=1)[:, -2:]
    close = best[:, 1] - best[:, 0] < CLOSE
    same = found.argmax(axis=1) == expected.argmax(axis=1)
    apart = float(np.abs(found - expected).max())
    exact = "fp32" in what
    return row(
        job,
        f"{what}: the CPU's top-1, {len(found)} pictures",
        100 * same.mean(),
        100.0,
        "% the same",
        agree=not exact or bool((same | close).all() and apart <= TOLERANCE),
        goal=1.0 if exact and not close.any() else None,
        close=int(close.sum()),
        largest_difference=apart,
    )
