"""What an attack must have whose pictures are made on another network."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import nn

from oodbench.attacks.base import Attack
from oodbench.attacks.transfer_store import TransferStore


@runtime_checkable
class NeedsSource(Protocol):
    """An attack that is made on a source, the model of its config's `source`.

    Attributes:
        inner: the attack on the source.
    """

    inner: Attack

    def connect(self, source: Callable[[], nn.Module], store: TransferStore) -> None:
        """Give the attack what a config cannot hold.

        Args:
            source: builds the source on the run's device, images in [0, 1] -> logits; called at
                the first picture that the store lacks.
            store: of this source, attack, data and pipeline.
        """
        ...
