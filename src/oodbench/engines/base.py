"""What every engine accepts and returns."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn


class Pending(Protocol):
    """Logits that are being computed."""

    def result(self) -> NDArray[np.float32]:
        """Wait for the logits, float32 `(N, 1000)`; raises what went wrong while computing."""
        ...


class Forward(Protocol):
    """A forward pass, ready for pictures of one size.

    Attributes:
        name: of the engine that computes, for records and run.json.
        note: why it is not the engine that was asked for, "" if it is; written to result.json.
        depth: how many batches in flight keep the engine busy.

    One may say more of itself. `resizes`, False where it is missing: whether `start` takes batches
    that have still to be resized, see `oodbench.engines.resizing`.
    """

    name: str
    note: str
    depth: int

    def start(self, pixels: NDArray[np.uint8]) -> Pending:
        """Begin with a batch.

        Args:
            pixels: `(N, H, W, 3)`, N up to the engine's batch size; is not written to, and must not
                change before the result is there.
        """
        ...

    def logits(self, images: Tensor) -> NDArray[np.float32]:
        """Logits `(N, 1000)` of float32 images `(N, 3, H, W)` in [0, 1] on the classifier's device.

        For pictures that an attack has made, which are no whole grey levels.
        """
        ...


class Engine(Protocol):
    """A way to compute logits.

    A class may say more of itself. `computes_gradients`, True where it is missing: whether what
    computes is PyTorch, so that an attack that needs gradients attacks the same network.
    `needs_gate`, likewise True: whether its logits are held against the eager engine's before they
    are used; False for what is the reference, or has a gate of its own. `prepares_slowly`,
    False where it is missing: whether even a small network takes it more than some seconds.
    """

    def prepare(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        """A forward pass for pictures of the example's size.

        Args:
            classifier: on the device, in eval mode.
            example: real pictures of the run, `(n, H, W, 3)`, n ≥ 1.

        Raises:
            ConfigError: the engine is not installed or cannot run this network.
        """
        ...
