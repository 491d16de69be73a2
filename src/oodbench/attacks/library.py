"""What the adapters to other libraries' attacks have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from difflib import get_close_matches

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oodbench.attacks.base import AttackResult, Norm
from oodbench.attacks.checks import TOLERANCE, check_eps, check_norm, check_range, check_result
from oodbench.attacks.frozen import frozen
from oodbench.attacks.randomness import PerImageRandomness, SharedDrawError
from oodbench.errors import AttackError, ConfigError


class LibraryAttack(ABC):
    """An untargeted attack of another library, its result checked.

    It succeeds where the prediction for the final image is not the label, so that images which are
    misclassified without an attack count as successes. Its randomness depends on each image and its
    seed alone: a batch that the library would give common random numbers is attacked one image at a
    time instead.
    """

    def __init__(self, *, name: str, eps: float | None, norm: str, iterations: int) -> None:
        """Set up the attack.

        Args:
            name: for tables and folders.
            eps: radius in [0, 1] pixel units that the result is held to; None: no such bound.
            norm: of the radius, linf or l2.
            iterations: for the records; 0 where the attack counts none.

        Raises:
            ConfigError: no such radius or norm.
        """
        self.name = name
        self.norm: Norm = check_norm(norm)
        self.eps = None if eps is None else check_eps(eps, self.norm)
        self._iterations = iterations

    @abstractmethod
    def attack_batch(self, classifier: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """What the library makes of the images; gradients are on, random numbers an image's own."""

    def __call__(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, seeds: list[int]
    ) -> AttackResult:
        """Attack a batch.

        Args:
            classifier: images in [0, 1] -> logits `(N, K)`. It is put into evaluation mode.
            images: float `(N, C, H, W)` in [0, 1].
            labels: int64 `(N,)`.
            seeds: one an image.

        Returns:
            `iterations` is the same for all images.

        Raises:
            AttackError: an image is outside [0, 1], before or after; a result is outside the ball;
                or the library left a part of the network in training mode.
        """
        check_range(images)
        with frozen(classifier):
            adversarial = self._adversarial(classifier, images, labels, seeds)
            if any(module.training for module in classifier.modules()):
                classifier.eval()
                raise AttackError(f"attack {self.name} left the network in training mode")
            with torch.no_grad():
                logits = classifier(adversarial)
        losses = F.cross_entropy(logits, labels, reduction="none")
        result = AttackResult(
            adversarial,
            logits.argmax(1) != labels,
            torch.full_like(labels, self._iterations),
            {"attack_loss": losses.float()},
        )
        check_result(images, result, self.eps, self.norm)
        return result

    def _adversarial(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, seeds: list[int]
    ) -> Tensor:
        try:
            return self._run(classifier, images, labels, seeds)
        except SharedDrawError:
            singles = zip(images[:, None], labels[:, None], seeds, strict=True)
            return torch.cat(
                [self._run(classifier, image, label, [seed]) for image, label, seed in singles]
            )

    def _run(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, seeds: list[int]
    ) -> Tensor:
        with torch.enable_grad(), PerImageRandomness(seeds):
            adversarial = self.attack_batch(classifier, images.clone(), labels.clone())
        return _without_rounding(adversarial.detach().to(images.dtype))


def _without_rounding(images: Tensor) -> Tensor:
    """Within [0, 1] where no more than the tolerance is outside: SPSA returns -3e-10."""
    clipped = images.clamp(0, 1)
    return torch.where((images - clipped).abs() <= TOLERANCE, clipped, images)


def refuse_unknown_arguments(given: Iterable[str], known: list[str]) -> None:
    """Refuse a key of `attack.arguments` that the library's class does not take."""
    for key in given:
        if key not in known:
            raise ConfigError(f"unknown key attack.arguments.{key}: {alternatives(key, known)}")


def alternatives(name: str, available: list[str]) -> str:
    """End of an error message about an unknown name: the nearest one, and all."""
    close = get_close_matches(name, available, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}available: {', '.join(available)}"
