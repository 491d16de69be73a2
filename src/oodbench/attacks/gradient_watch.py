"""What is seen of an attack's gradients: whether they are numbers, and whether they say anything.

An attack on a network whose gradients are masked does not move, and its failure proves nothing
(Athalye et al., ICML 2018, arXiv:1802.00420).
"""

from collections.abc import Callable

import torch
from torch import Tensor


class GradientWatch:
    """Of one batch; the device is not waited for.

    Attributes:
        zero_at_start: bool `(N,)`, the gradient gave no direction at the start of a run.
        steps_without: int64 `(N,)`, steps at which it gave none.
    """

    def __init__(self, size: Callable[[Tensor], Tensor], labels: Tensor) -> None:
        """Begin.

        Args:
            size: of gradients `(k, C, H, W)`, float `(k,)`: 0 where one gives no direction, NaN or
                infinite where it is no number, see `oodbench.attacks.balls`.
            labels: int64 `(N,)`.
        """
        self._size = size
        self.zero_at_start = torch.zeros_like(labels, dtype=torch.bool)
        self.steps_without = torch.zeros_like(labels)

    def see(
        self,
        positions: Tensor,
        gradients: Tensor,
        starts: Tensor | bool,
        wanted: Tensor | bool = True,
    ) -> Tensor:
        """Note the gradients of some images.

        Args:
            positions: int64 `(k,)`, where these stand in the batch, none twice.
            gradients: `(k, C, H, W)`.
            starts: whether a run begins, of all of them or bool `(k,)`.
            wanted: likewise, whether the attack wants the image to move.

        Returns:
            bool `(k,)`: the gradient is no number.
        """
        sizes = self._size(gradients)
        none = (sizes == 0) & wanted
        self.steps_without[positions] += none
        self.zero_at_start[positions] = self.zero_at_start[positions] | (none & starts)
        return ~sizes.isfinite()

    def columns(self) -> dict[str, Tensor]:
        """For the records: `zero_gradient` and `steps_without_gradient`."""
        return {
            "zero_gradient": self.zero_at_start,
            "steps_without_gradient": self.steps_without,
        }
