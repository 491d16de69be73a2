"""How fast this machine's engine is: timed passes of a network, its weights random if need be."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.attacks.network_access import NetworkAccess, Passes
from oodbench.core.errors import OodbenchError
from oodbench.core.schema import RunConfig, WeightsConfig
from oodbench.engines.choose import prepared
from oodbench.engines.extent import Extent
from oodbench.engines.full_device import memory_in_one_line
from oodbench.engines.halving import HalvingForward
from oodbench.engines.pytorch import images_of
from oodbench.engines.resizing import Pixels
from oodbench.engines.settings import device_type, use_device
from oodbench.engines.timing import seconds_a_picture
from oodbench.models.build import build_classifier
from oodbench.models.weights import find_weights
from oodbench.sweeps.forecast.attack_cost import BACKWARD

COPIES = 5
"""Batches that are copied to know the time of a copy."""

EXAMPLES = 4
"""Pictures that the engine is prepared with, as in a run."""

WARM_UP = 2
"""Batches that are not timed: the first ones fill caches."""


def seconds_a_pass(
    run: RunConfig, pixels: NDArray[np.uint8], device: str, *, seconds: float
) -> tuple[float, str]:
    """Time of a forward pass of one picture, with the run's engine and batch size.

    With an attack, a third of a forward and backward pass, see `attack_cost.BACKWARD`.

    Args:
        run: what is to be timed; its weights where they are on disk, else random ones.
        pixels: a batch, `(N, H, W, 3)`.
        device: where the network computes.
        seconds: how long to measure, after building and exporting the network.

    Returns:
        Seconds, and the name of the engine.

    Raises:
        ConfigError: the network cannot be built, the engine cannot run it, or the device has no
            room for it.
    """
    use_device(device)
    with memory_in_one_line(device):
        classifier = _built(run).to(device)
        if "_target_" in run.attack:
            with _attacked(classifier, pixels) as step:
                taken = _timed(step, seconds) / (len(pixels) * (1 + BACKWARD))
            return taken, "eager with gradients"
        forward = prepared(
            run.engine,
            classifier,
            pixels[:EXAMPLES],
            cache_dir=Path(run.engine.cache_dir),
            model_identity=None,
            extent=Extent(batch_size=len(pixels)),
        )
        whole = HalvingForward(forward, torch.device(device))
        return seconds_a_picture(whole, pixels, seconds=seconds), forward.name


def seconds_a_copy(pixels: Pixels, device: str) -> float:
    """Time to copy the pixels of one picture, of a batch, to the device, and to resize them there
    if they have to be; 0 on a CPU."""
    if device_type(device) == "cpu":
        return 0.0
    started = time.perf_counter()
    for _ in range(COPIES):
        images_of(pixels, torch.device(device)).sum().item()  # waits for the device
    return (time.perf_counter() - started) / COPIES / len(pixels)


class _Attacked:
    """One batch after the other, forward and backward, as attacks compute them."""

    def __init__(self, passes: Passes, images: Tensor) -> None:
        self._passes = passes
        self._images = images

    def step(self) -> None:
        """Compute the gradients of a batch."""
        self._passes.gradients(self._images, _first_logit).gradients.cpu()


@contextmanager
def _attacked(classifier: nn.Module, pixels: NDArray[np.uint8]) -> Iterator[_Attacked]:
    device = next(classifier.buffers()).device
    images = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).contiguous().float().div_(255)
    with NetworkAccess(None, None).open(classifier, images) as passes:
        yield _Attacked(passes, images)


def _first_logit(logits: Tensor, places: slice) -> tuple[Tensor, list[bool]]:
    return logits[:, 0], [True] * len(logits)


def _timed(batches: _Attacked, seconds: float) -> float:
    """Seconds per batch."""
    for _ in range(WARM_UP):
        batches.step()
    started = time.perf_counter()
    done = 0
    while done == 0 or time.perf_counter() - started < seconds:
        batches.step()
        done += 1
    return (time.perf_counter() - started) / done


def _built(run: RunConfig) -> nn.Module:
    try:
        files = find_weights(
            run.model.name, run.model.weights, Path(run.weights.dir), download=False
        )
        return build_classifier(run.model, weights_files=files)
    except OodbenchError:
        random = replace(run.model, weights=WeightsConfig(random_seed=0))
        return build_classifier(random, weights_files=[])
