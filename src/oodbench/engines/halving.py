"""A forward pass that goes on with half a batch where memory runs out."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oodbench.core.errors import one_line
from oodbench.engines.base import Forward, Pending
from oodbench.engines.full_device import no_room
from oodbench.engines.resizing import Pixels
from oodbench.models.device_memory import is_out_of_memory, release, without_frames

log = logging.getLogger(__name__)

_T = TypeVar("_T")


class HalvingForward:
    """A `Forward` of `oodbench.engines.base` around another one.

    Attributes:
        most: pictures that go through the network at once since memory ran out; None until then.
    """

    def __init__(self, forward: Forward, device: torch.device) -> None:
        """Wrap a forward pass.

        Args:
            forward: raises the error of PyTorch or Python where memory runs out.
            device: where it computes.
        """
        self.name = forward.name
        self.note = forward.note
        self.depth = forward.depth
        self.resizes = getattr(forward, "resizes", False)
        self.most: int | None = None
        self._forward = forward
        self._start: Callable[[Any], Pending] = forward.start  # of `Pixels`, where it resizes
        self._device = device

    def start(self, pixels: Pixels) -> Pending:
        """See `oodbench.engines.base.Forward`.

        Raises:
            ConfigError: memory runs out with a single picture.
        """
        return _Joined([self._started(pixels[part]) for part in self._parts(len(pixels))])

    def logits(self, images: Tensor) -> NDArray[np.float32]:
        """See `oodbench.engines.base.Forward`.

        Raises:
            ConfigError: memory runs out with a single picture.
        """
        parts = [images[part] for part in self._parts(len(images))]
        return np.concatenate([self._logits(part) for part in parts])

    def finished(self, pixels: Pixels, pending: Pending) -> NDArray[np.float32]:
        """Wait for a part; start again with less where memory ran out only now."""
        return self._attempt(len(pixels), pending.result, lambda: self.start(pixels).result())

    def _started(self, pixels: Pixels) -> Pending:
        return self._attempt(
            len(pixels),
            lambda: _Part(self, pixels, self._start(pixels)),
            lambda: self.start(pixels),
        )

    def _logits(self, images: Tensor) -> NDArray[np.float32]:
        return self._attempt(
            len(images), lambda: self._forward.logits(images), lambda: self.logits(images)
        )

    def _attempt(self, count: int, first: Callable[[], _T], again: Callable[[], _T]) -> _T:
        """What the first function gives; where memory runs out, the second one in smaller parts."""
        try:
            return first()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            failure = without_frames(error)
        self._halve(count, failure)
        return again()

    def _halve(self, count: int, failure: BaseException) -> None:
        release(self._device)
        if count <= 1:
            raise no_room(self._device, failure, "out of memory with one picture in the network")
        self.most = min(self.most or count, count // 2)
        log.warning(
            "engine=%s: out of memory with %d pictures, going on with at most %d at once: %s",
            *(self.name, count, self.most, one_line(failure, 200)),
        )

    def _parts(self, count: int) -> Sequence[slice]:
        most = min(self.most or count, count) or 1
        return [slice(start, start + most) for start in range(0, count, most)]


class _Part:
    """Logits of some pictures of a batch."""

    def __init__(self, owner: HalvingForward, pixels: Pixels, pending: Pending) -> None:
        self._owner = owner
        self._pixels = pixels
        self._pending = pending

    def result(self) -> NDArray[np.float32]:
        return self._owner.finished(self._pixels, self._pending)


class _Joined:
    """Logits of all pictures of a batch."""

    def __init__(self, parts: Sequence[Pending]) -> None:
        self._parts = parts

    def result(self) -> NDArray[np.float32]:
        """Wait for all parts."""
        found = [part.result() for part in self._parts]
        return found[0] if len(found) == 1 else np.concatenate(found)
