"""The l_2 attack of Carlini & Wagner (IEEE S&P 2017, arXiv:1608.04644): the smallest change."""

import math

import torch
from torch import Tensor, nn

from oodbench.attacks.balls import largest
from oodbench.attacks.base import AttackResult, Norm
from oodbench.attacks.checks import (
    check_count,
    check_not_negative,
    refuse_bad_gradients,
    refuse_nan,
)
from oodbench.attacks.goals import margins
from oodbench.attacks.gradient_watch import GradientWatch
from oodbench.attacks.host import to_host
from oodbench.attacks.memory import MemoryBudget
from oodbench.attacks.network_access import NetworkAccess, Passed, Passes
from oodbench.core.errors import ConfigError

_INTERIOR = 0.999999
"""Pixels are pulled by this towards grey, as in the authors' code: tanh never reaches 0 or 1."""

_STATE = 8
"""Tensors of an image's size that the descent keeps for each image, temporary ones included."""


_SMALLEST_FOR_ADAM = 1e-8
"""What Adam adds to a gradient's own scale: a smaller one is less than a step."""


class CarliniWagnerL2:
    """Adam on ||x' - x||^2 + c max(margin, -kappa), x' = (tanh(w) + 1) / 2.

    It has no radius: a success is a misclassified picture whatever its distance, which the record
    `l2` holds. `c` is fixed, without the authors' binary search, as in torchattacks, whose stop
    by the loss of the whole batch is left out: every image gets all steps. No randomness.
    """

    needs_gradients = True
    splits_batches = True
    uses_seed = False

    def __init__(
        self,
        *,
        name: str,
        c: float = 1.0,
        kappa: float = 0.0,
        iterations: int = 50,
        learning_rate: float = 0.01,
        micro_batch: int | None = None,
        memory: MemoryBudget = None,
    ) -> None:
        """Choose what a misclassification is worth against its distance, and how long to search.

        Args:
            name: for tables and folders.
            c: weight of the margin against the squared distance.
            kappa: logits by which another class is to be above the label.
            iterations: gradient steps, at least 1.
            learning_rate: of Adam, in tanh space.
            micro_batch: images in the network at once, with `memory` at most; None: 8 on a CPU,
                256 of 224 x 224 pixels on CUDA.
            memory: GiB that the attack may take beside the model, auto (what is free), or None.

        Raises:
            ConfigError: a value is out of range.
        """
        self.name = name
        self.norm: Norm = "l2"
        self.eps: float | None = None
        self.c = check_not_negative("attack.c", c)
        self.kappa = check_not_negative("attack.kappa", kappa)
        self.iterations = check_count("attack.iterations", iterations)
        self.learning_rate = check_not_negative("attack.learning_rate", learning_rate)
        if self.learning_rate == 0:
            raise ConfigError("attack.learning_rate=0: must be above 0")
        self.access = NetworkAccess(micro_batch, memory, state=_STATE)

    def __call__(
        self,
        classifier: nn.Module,
        images: Tensor,
        labels: Tensor,
        seeds: list[int],
        clean_logits: Tensor | None = None,
    ) -> AttackResult:
        """Attack a batch.

        Args:
            classifier: images in [0, 1] -> logits `(N, K)`. It is put into evaluation mode.
            images: float32 or float64 `(N, C, H, W)` in [0, 1].
            labels: int64 `(N,)` in 0..K - 1.
            seeds: not used.
            clean_logits: `(N, K)` of the images, where they are known.

        Returns:
            Of each image the misclassified iterate that is nearest to it; the clean image where
            there is none, and where that is misclassified itself, after 0 iterations. `iterations`:
            until that iterate, or all. `columns`: what `GradientWatch` has seen of the margin's
            gradient, while the prediction was right.

        Raises:
            ImageError: a pixel is outside [0, 1], a logit NaN, or a gradient not finite.
        """
        images = images.detach()
        found = images.clone()
        distances = torch.full((len(images),), math.inf, dtype=images.dtype, device=images.device)
        iterations = torch.zeros_like(labels)
        watch = GradientWatch(_size_for_adam, labels)
        with self.access.open(classifier, images) as passes:
            clean = passes.clean_logits(images, clean_logits)
            for rows in passes.groups(images):
                logits = clean[rows]
                refuse_nan(logits, rows, len(images), 0)
                right = logits.argmax(1) == labels[rows]
                distances[rows] = torch.where(right, math.inf, 0.0).to(distances)
                left = rows[right]
                if len(left):
                    self._descend(passes, left, images, labels, found, distances, iterations, watch)
        return AttackResult(found, distances.isfinite(), iterations, watch.columns())

    def _descend(
        self,
        passes: Passes,
        rows: Tensor,
        images: Tensor,
        labels: Tensor,
        found: Tensor,
        distances: Tensor,
        iterations: Tensor,
        watch: GradientWatch,
    ) -> None:
        """Record the nearest misclassified iterates of the images at `rows`."""
        clean = images[rows]
        iterations[rows] = self.iterations
        variables = torch.atanh((2 * clean - 1) * _INTERIOR).requires_grad_()
        optimizer = torch.optim.Adam([variables], lr=self.learning_rate)

        def objective(logits: Tensor, places: slice) -> tuple[Tensor, list[bool]]:
            leads = margins(logits, labels[rows[places]]).clamp(min=-self.kappa)
            return self.c * leads, [True] * len(logits)

        first = clean.new_zeros(())
        for step in range(self.iterations):
            with torch.enable_grad():
                iterates = (torch.tanh(variables) + 1) / 2
                passed = passes.gradients(iterates, objective)
                wrong = passed.logits.argmax(1) != labels[rows]
                # Of a misclassified picture the margin may be clamped: no gradient is wanted.
                bad = watch.see(rows, passed.gradients, step == 0, ~wrong)
                self._refuse_no_numbers(passed, bad, rows, len(images), step)
                first = passed.values if step == 0 else first
                watch.compare(rows, passed.values < first, step == 0)
                squares = (iterates - clean).square().flatten(1).sum(1)
                # Through the network by its gradient, which may have come in parts.
                cost = squares.sum() + (passed.gradients * iterates).sum()
                (variables.grad,) = torch.autograd.grad(cost, variables)
            length = squares.detach().sqrt()
            nearer = wrong & (length < distances[rows])
            pixels = nearer[:, None, None, None]
            found[rows] = torch.where(pixels, iterates.detach(), found[rows])
            distances[rows] = torch.where(nearer, length, distances[rows])
            iterations[rows] = torch.where(nearer, step, iterations[rows])
            optimizer.step()

    def _refuse_no_numbers(
        self, passed: Passed, bad: Tensor, rows: Tensor, count: int, step: int
    ) -> None:
        """Refuse NaN logits and `bad` gradients `(k,)`, in one look at the device."""
        nan, no_gradient = to_host(passed.logits.isnan().any(1), bad)
        if any(nan):
            refuse_nan(passed.logits, rows, count, step)
        if any(no_gradient):
            refuse_bad_gradients(bad, rows, count, step)


def _size_for_adam(gradients: Tensor) -> Tensor:
    """The largest absolute value of each image `(N,)`, 0 where it is too small for a step."""
    sizes = largest(gradients)
    return sizes.masked_fill(sizes < _SMALLEST_FOR_ADAM, 0.0)
