"""What is seen of an attack's gradients: whether they are numbers, and whether they say anything.

An attack on a network whose gradients are masked does not move, and its failure proves nothing
(Athalye et al., ICML 2018, arXiv:1802.00420).
"""

from collections.abc import Callable

import torch
from torch import Tensor

_LEAST_SHARE = 0.3
"""Share of a picture's values in which a gradient must not be 0. That of a trained network is 0
almost nowhere; one that shrinks pictures to a third without blurring looks at 0.44 of the values.
"""


def is_sparse(gradients: Tensor) -> Tensor:
    """bool `(N,)`, whether gradients `(N, C, H, W)` are 0 nearly everywhere."""
    return (gradients != 0).flatten(1).float().mean(1) < _LEAST_SHARE


class GradientWatch:
    """Of one batch; the device is not waited for.

    Attributes:
        zero_at_start: bool `(N,)`, the gradient gave no direction at the start of a run, or was 0
            nearly everywhere.
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
        self._stuck_before = torch.zeros_like(self.zero_at_start)
        self._stuck_now = torch.zeros_like(self.zero_at_start)

    def see(
        self,
        positions: Tensor,
        gradients: Tensor,
        starts: Tensor | bool = False,
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
        if starts is not False:
            none = (none | (is_sparse(gradients) & wanted)) & starts
            self.zero_at_start[positions] = self.zero_at_start[positions] | none
        return ~sizes.isfinite()

    @property
    def stuck(self) -> Tensor:
        """bool `(N,)`, of some run no iterate came nearer to the goal in loss than its start."""
        return self._stuck_before | self._stuck_now

    def compare(self, positions: Tensor, nearer: Tensor, starts: Tensor | bool = False) -> None:
        """Note whether the iterates of some images came nearer to the goal than their run's start.

        Args:
            positions: int64 `(k,)`.
            nearer: bool `(k,)`; not looked at where a run begins.
            starts: whether one does, of all of them or bool `(k,)`.
        """
        before, now = self._stuck_before[positions], self._stuck_now[positions]
        self._stuck_before[positions] = before | (now & starts)
        self._stuck_now[positions] = (now & ~nearer) | starts

    def add(self, positions: Tensor, other: "GradientWatch", made: Tensor) -> None:
        """Note what another watch has seen of several runs of some images.

        Args:
            positions: int64 `(k,)`.
            other: of t times k images, all of the first run first.
            made: bool `(t, k)`, which of these runs count.
        """
        stuck = (other.stuck.view_as(made) & made).any(0)
        zero = (other.zero_at_start.view_as(made) & made).any(0)
        self._stuck_before[positions] = self.stuck[positions] | stuck
        self._stuck_now.index_fill_(0, positions, False)  # an assignment would wait for the device
        self.zero_at_start[positions] = self.zero_at_start[positions] | zero
        self.steps_without[positions] += (other.steps_without.view_as(made) * made).sum(0)

    def columns(self) -> dict[str, Tensor]:
        """For the records: `zero_gradient`, `steps_without_gradient`, `loss_stuck`."""
        return {
            "zero_gradient": self.zero_at_start,
            "steps_without_gradient": self.steps_without,
            "loss_stuck": self.stuck,
        }
