"""The published attack: targeted l_inf PGD with a random start that stops at the first success."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oodbench.attacks.base import AttackResult, generator_of
from oodbench.attacks.checks import check_not_negative
from oodbench.errors import ConfigError


class TargetedPGD:
    """`RandomStartPGD` of foolbox 1.8.0 on a batch, as eminorhan/ood-benchmarks calls it.

    Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018; the
    details are those of bethgelab/foolbox v1.8.0, `attacks/iterative_projected_gradient.py`, with
    bounds (0, 1), `binary_search=False` and `return_early=True`:

    - the target is uniform over all classes but the label, whatever the network predicts;
    - an image that is already classified as its target is returned unchanged, after 0 iterations;
    - the random start is in the ball but not clipped to [0, 1], and is not tested for success;
    - every iterate is clipped to the ball, then to [0, 1];
    - an image is finished at its first iterate that is classified as the target (of equal logits,
      the lowest index wins), and where there is none the clean image is returned.

    Each image has its own random numbers and its own loss, so that its result does not depend on
    the rest of the batch.
    """

    def __init__(
        self,
        *,
        name: str = "pgd_targeted",
        eps: float,
        step_size: float,
        iterations: int,
    ) -> None:
        """Set up the attack.

        Args:
            name: for tables and folders.
            eps: l_inf radius in [0, 1] pixel units.
            step_size: of one iteration, in [0, 1] pixel units.
            iterations: gradient steps, at least 1.

        Raises:
            ConfigError: a value is out of range.
        """
        self.name = name
        self.eps: float | None = check_not_negative("attack.eps", eps)
        self._radius = self.eps  # never None, unlike the attribute that all attacks have
        self.step_size = check_not_negative("attack.step_size", step_size)
        if not isinstance(iterations, int) or iterations < 1:
            raise ConfigError(f"attack.iterations={iterations}: must be an integer of at least 1")
        self.iterations = iterations

    def __call__(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, seeds: list[int]
    ) -> AttackResult:
        """Attack a batch.

        Args:
            classifier: images in [0, 1] -> logits `(N, K)`, in evaluation mode.
            images: float32 or float64 `(N, C, H, W)` in [0, 1].
            labels: int64 `(N,)` in 0..K - 1.
            seeds: one an image.

        Returns:
            `images` of the type and on the device of the input; `columns["target"]`: int64 `(N,)`.
        """
        images = images.detach()
        with torch.no_grad():
            logits = classifier(images)
        targets, starts = self._draw(images, labels, seeds, classes=logits.shape[1])
        succeeded = logits.argmax(1) == targets
        iterations = torch.where(succeeded, 0, self.iterations)
        result = AttackResult(images.clone(), succeeded, iterations, {"target": targets})
        if not succeeded.all():
            with torch.enable_grad():
                self._pursue(classifier, images, starts, result)
        return result

    def _pursue(
        self, classifier: nn.Module, images: Tensor, starts: Tensor, result: AttackResult
    ) -> None:
        """Attack the images that are not yet at their target, and enter successes in `result`.

        An iterate's one forward pass gives both its prediction and the gradient of the next step.
        """
        targets = result.columns["target"]
        alive = (~result.succeeded).nonzero().flatten()
        iterates, logits = _forward(classifier, starts[alive], graph=True)
        missed = torch.ones_like(alive, dtype=torch.bool)  # the start is not tested for success
        for iteration in range(1, self.iterations + 1):
            # The sum, not the mean: an image's gradient is then the same in every batch.
            loss = F.cross_entropy(logits[missed], targets[alive], reduction="sum")
            (gradients,) = torch.autograd.grad(loss, iterates)
            iterates = self._step(iterates.detach()[missed], gradients[missed], images[alive])
            iterates, logits = _forward(classifier, iterates, graph=iteration < self.iterations)
            missed = logits.argmax(1) != targets[alive]
            hits = alive[~missed]
            result.images[hits] = iterates.detach()[~missed]
            result.succeeded[hits] = True
            result.iterations[hits] = iteration
            alive = alive[missed]
            if len(alive) == 0:
                break

    def _draw(
        self, images: Tensor, labels: Tensor, seeds: list[int], classes: int
    ) -> tuple[Tensor, Tensor]:
        """Targets `(N,)` and starting points `(N, C, H, W)`: each image's target is drawn first."""
        targets, noise = torch.empty_like(labels), torch.empty_like(images)
        for position, (label, seed) in enumerate(zip(labels.tolist(), seeds, strict=True)):
            generator = generator_of(seed)
            other = int(torch.randint(classes - 1, (), generator=generator))
            targets[position] = other + (other >= label)
            # In float64, so that the numbers are the same whatever the type of the images.
            offsets = torch.empty(images.shape[1:], dtype=torch.float64)
            noise[position] = offsets.uniform_(-self._radius, self._radius, generator=generator)
        return targets, images + noise.clamp(-self._radius, self._radius)

    def _step(self, iterates: Tensor, gradients: Tensor, clean: Tensor) -> Tensor:
        moved = iterates - self.step_size * gradients.sign()
        offsets = (moved - clean).clamp(-self._radius, self._radius)
        return (clean + offsets).clamp(0, 1)


def _forward(classifier: nn.Module, iterates: Tensor, *, graph: bool) -> tuple[Tensor, Tensor]:
    """The iterates as leaves of a graph (if `graph`), and their logits."""
    with torch.set_grad_enabled(graph):
        iterates = iterates.detach().requires_grad_(graph)
        return iterates, classifier(iterates)
