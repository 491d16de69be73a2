"""Any attack of the torchattacks library (Kim, 2020, arXiv:2010.01950), by its class name."""

import inspect
from difflib import get_close_matches
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oodbench.attacks.base import AttackResult, Norm
from oodbench.attacks.checks import TOLERANCE, check_eps, check_norm, check_range, check_result
from oodbench.attacks.frozen import frozen
from oodbench.attacks.randomness import PerImageRandomness, SharedDrawError
from oodbench.errors import AttackError, ConfigError


class TorchAttack:
    """An untargeted attack of torchattacks.

    It succeeds where the prediction for the final image is not the label, so that images which are
    misclassified without an attack count as successes. Its randomness depends on each image and its
    seed alone: a batch that the library would give common random numbers is attacked one image at a
    time instead.
    """

    def __init__(
        self,
        *,
        name: str,
        attack: str,
        arguments: dict[str, Any],
        eps: float | None,
        norm: str = "linf",
    ) -> None:
        """Set up the attack.

        Args:
            name: for tables and folders.
            attack: name of a class of the library, such as `PGD`.
            arguments: its keyword arguments, without the model.
            eps: radius in [0, 1] pixel units that the result is held to; None: no such bound.
            norm: of the radius, linf or l2.

        Raises:
            ConfigError: no such class, it does not take these arguments, or no such radius or norm.
        """
        self.name = name
        self.norm: Norm = check_norm(norm)
        self.eps = None if eps is None else check_eps(eps, self.norm)
        self._attack = _attack_class(attack)
        self._arguments = dict(arguments)
        self._steps = _steps(_checked_arguments(self._attack, self._arguments))

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
            `iterations` is the attack's argument `steps` (0 if it has none).

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
            torch.full_like(labels, self._steps),
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
        # The library puts a model whose own flag says training back into training after each
        # attack, and with it every module inside, whatever mode those were in: `frozen` has cleared
        # the flag, and an attack of several calls finds it cleared each time.
        with torch.enable_grad(), PerImageRandomness(seeds):
            attack = self._attack(classifier, **self._arguments)
            attack.set_device(images.device)
            adversarial: Tensor = attack(images.clone(), labels.clone())
        return _without_rounding(adversarial.detach().to(images.dtype))


def _without_rounding(images: Tensor) -> Tensor:
    """Within [0, 1] where no more than the tolerance is outside: SPSA returns -3e-10."""
    clipped = images.clamp(0, 1)
    return torch.where((images - clipped).abs() <= TOLERANCE, clipped, images)


def _attack_class(name: str) -> Any:
    import torchattacks  # here, because it takes 0.7 s
    from torchattacks.attack import Attack

    classes = {
        key: value
        for key, value in vars(torchattacks).items()
        if inspect.isclass(value) and issubclass(value, Attack) and _takes_only_a_model(value)
    }
    if name not in classes:
        raise ConfigError(f"unknown attack.attack={name}: {_alternatives(name, sorted(classes))}")
    return classes[name]


def _takes_only_a_model(attack: Any) -> bool:
    """Whether what it needs can stand in a config: not, say, other attacks or a data loader."""
    parameters = inspect.signature(attack).parameters
    required = [key for key, value in parameters.items() if value.default is value.empty]
    return required == ["model"]


def _checked_arguments(attack: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with the library's defaults for those that are not given."""
    parameters = dict(inspect.signature(attack).parameters)
    del parameters["model"]
    for key in arguments:
        if key not in parameters:
            alternatives = _alternatives(key, list(parameters))
            raise ConfigError(f"unknown key attack.arguments.{key}: {alternatives}")
    return {key: value.default for key, value in parameters.items()} | arguments


def _steps(arguments: dict[str, Any]) -> int:
    return int(arguments.get("steps", 0))


def _alternatives(name: str, available: list[str]) -> str:
    close = get_close_matches(name, available, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}available: {', '.join(available)}"
