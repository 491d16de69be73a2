"""What the adapters to other libraries' attacks have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oodbench.attacks.balls import ball
from oodbench.attacks.base import AttackResult, Norm, generators_of
from oodbench.attacks.checks import (
    TOLERANCE,
    ImageError,
    check_eps,
    check_norm,
    check_result,
)
from oodbench.attacks.goals import Choice, Goal
from oodbench.attacks.libraries.randomness import PerImageRandomness, SharedDrawError
from oodbench.attacks.libraries.watched_network import UnknownImageError, WatchedNetwork
from oodbench.attacks.network_access import NetworkAccess, Passes
from oodbench.core.checking import alternatives
from oodbench.core.errors import AttackError, ConfigError

STATE = 8
"""Tensors of an image's size that an attack is assumed to keep for each image."""

_ROUNDING = 1e-5
"""Share of the radius by which a length computed by a library in float32 may exceed it."""


class _Made(NamedTuple):
    """What a library made of a batch: pictures `(N, C, H, W)`, and `(N,)` of each.

    Attributes:
        zero_gradient: all its gradients were 0 (nearly) everywhere.
        passes_without: int64, how many were too small, where most were.
        stuck: nothing that was tried came nearer to the goal in loss.
    """

    images: Tensor
    zero_gradient: Tensor
    passes_without: Tensor
    stuck: Tensor


class LibraryAttack(ABC):
    """An attack of another library, its result checked.

    Untargeted it succeeds where the prediction for the final image is not the label, so that images
    which are misclassified without an attack count as successes; with a target, where it is the
    target. Its randomness depends on each image and its seed alone: a batch that the library would
    give common random numbers is attacked one image at a time instead.
    """

    judges_last_iterate = True
    steps_key = "arguments.steps"

    def __init__(
        self,
        *,
        name: str,
        eps: float | None,
        norm: str,
        iterations: int,
        needs_gradients: bool,
        choice: Choice,
        access: NetworkAccess,
    ) -> None:
        """Keep what the records and the check of the result need.

        Args:
            name: for tables and folders.
            eps: radius in [0, 1] pixel units that the result is held to; None: no such bound.
            norm: of the radius, linf or l2.
            iterations: for the records; 0 where the attack counts none.
            needs_gradients: whether it uses any.
            choice: of targets; with several, each is a run of the images that all earlier ones
                failed at.
            access: to the network.

        Raises:
            ConfigError: no such radius or norm.
        """
        self.name = name
        self.norm: Norm = check_norm(norm)
        self.eps = None if eps is None else check_eps(eps, self.norm)
        self.needs_gradients = needs_gradients
        self.choice = choice
        self.access = access
        self._iterations = iterations

    @property
    def targeted(self) -> bool:
        """Whether runs pursue a class."""
        return self.choice.rule != "none"

    @abstractmethod
    def attack_batch(self, network: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
        """The library's adversarial images; gradients are on, random numbers are per image.

        Args:
            network: images in [0, 1] -> logits `(N, K)`.
            images: float `(N, C, H, W)` in [0, 1].
            classes: int64 `(N,)`, the targets of a targeted attack, else the labels.
        """

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
            images: float `(N, C, H, W)` in [0, 1].
            labels: int64 `(N,)`.
            seeds: one per image.
            clean_logits: `(N, K)` of the images, where they are known.

        Returns:
            The picture of a success, else that of the last run. `iterations` is the same for all
            images of as many runs. `columns`: `attack_loss` float32, cross entropy to the target,
            or to the label if there is none; `target` int64, if there is one; where it needs
            gradients `zero_gradient` bool, all that came from the network in a run were 0 (nearly)
            everywhere, `steps_without_gradient` int64, how often they were too small, if most
            were, and `loss_stuck` bool, no picture that was tried in a run was nearer to the goal
            in loss than the first one.

        Raises:
            AttackError: an image is outside [0, 1], before or after; a gradient is not finite; a
                result is outside the ball; or the library left a part of the network in training
                mode.
            ConfigError: the attack needs gradients that the network does not have.
        """
        images = images.detach()
        with self.access.open(classifier, images) as passes:
            goal = self._goal(passes, images, clean_logits, labels, seeds)
            everything = torch.arange(len(images), device=images.device)
            runs = torch.zeros_like(labels)
            found = images.clone()
            zero = torch.zeros_like(labels, dtype=torch.bool)
            without, stuck = torch.zeros_like(labels), zero.clone()
            left = everything if goal.left_out is None else (~goal.left_out).nonzero().flatten()
            logits = None
            for run in range(1 if goal.targets is None else goal.targets.shape[1]):
                if not len(left):
                    break
                runs[left] = run
                made = self._pursue(passes, left, images, goal.pursued(left, runs[left]), seeds)
                found[left] = made.images
                zero[left] |= made.zero_gradient
                without[left] += made.passes_without
                stuck[left] |= made.stuck
                if logits is None:
                    logits = passes.logits(found)
                else:
                    logits[left] = passes.logits(found[left])
                left = goal.missed(logits, everything, runs).nonzero().flatten()
            if logits is None:  # all are left out
                logits = passes.logits(found)
        pursued = goal.pursued(everything, runs)
        losses = F.cross_entropy(logits, pursued, reduction="none")
        columns = {"attack_loss": losses.float(), **goal.columns(everything, runs)}
        if self.needs_gradients:
            columns |= {
                "zero_gradient": zero,
                "steps_without_gradient": without,
                "loss_stuck": stuck,
            }
        iterations = (runs + 1) * self._iterations
        if goal.left_out is not None:
            iterations = iterations.masked_fill(goal.left_out, 0)
        reached = goal.reached(logits, everything, runs)
        result = AttackResult(found, reached, iterations, columns, goal.any_error)
        check_result(images, result, self.eps, self.norm)
        return result

    def _goal(
        self,
        passes: Passes,
        images: Tensor,
        clean_logits: Tensor | None,
        labels: Tensor,
        seeds: list[int],
    ) -> Goal:
        if not self.targeted:
            return Goal(labels, None, any_error=True)
        logits = passes.clean_logits(images, clean_logits)
        return self.choice.goal(logits, labels, generators_of(images, seeds))

    def _pursue(
        self, passes: Passes, rows: Tensor, images: Tensor, classes: Tensor, seeds: list[int]
    ) -> _Made:
        """One run of the images at `rows`, whose goals are `classes` `(k,)`."""
        places = rows.tolist()
        own = [seeds[place] for place in places]
        try:
            return self._adversarial(passes, images[rows], classes, own)
        except ImageError as error:
            raise error.among(places, len(images)) from error

    def _adversarial(
        self, passes: Passes, images: Tensor, classes: Tensor, seeds: list[int]
    ) -> _Made:

        def attacked(part: Tensor, places: slice) -> _Made:
            own = seeds[places]
            try:
                return self._run(passes.network, part, classes[places], own)
            except (SharedDrawError, UnknownImageError):
                return _joined(single(part, places, row) for row in range(len(part)))
            except ImageError as error:
                raise error.among(list(range(len(images)))[places], len(images)) from error

        def single(part: Tensor, places: slice, row: int) -> _Made:
            place = places.start + row
            one = slice(place, place + 1)
            try:
                return self._run(passes.network, part[row, None], classes[one], seeds[one])
            except ImageError as error:
                raise error.among([place], len(images)) from error

        made = _joined(passes.in_parts(images, attacked))
        return made._replace(images=self._without_rounding(made.images, images))

    def _run(self, network: nn.Module, images: Tensor, classes: Tensor, seeds: list[int]) -> _Made:
        watched = WatchedNetwork(
            network,
            classes,
            images.dtype,
            targeted=self.targeted,
            needs_gradients=self.needs_gradients,
        )
        with torch.enable_grad(), PerImageRandomness(seeds):
            adversarial = self.attack_batch(watched, images.clone(), classes.clone())
        if any(module.training for module in network.modules()):
            network.eval()
            raise AttackError(f"attack {self.name} left the network in training mode")
        pictures = adversarial.detach().to(images.dtype)
        return _Made(pictures, watched.zero_gradient, watched.passes_without, watched.stuck)

    def _without_rounding(self, made: Tensor, clean: Tensor) -> Tensor:
        """Within [0, 1] and the ball where no more than rounding is outside.

        SPSA returns -3e-10, and PGDL2 a length that is right in float32.
        """
        clipped = made.clamp(0, 1)
        made = torch.where((made - clipped).abs() <= TOLERANCE, clipped, made)
        if self.eps is None or self.norm != "l2":
            return made
        beyond = (made - clean).double().flatten(1).norm(dim=1) - self.eps
        rounded = (beyond > TOLERANCE) & (beyond <= _ROUNDING * self.eps)
        within = clean + ball(self.norm, self.eps).project(made - clean)
        return torch.where(rounded[:, None, None, None], within, made)


def _joined(parts: Iterable[_Made]) -> _Made:
    return _Made(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def refuse_unknown_arguments(given: Iterable[str], known: list[str]) -> None:
    """Refuse a key of `attack.arguments` that the library's class does not accept."""
    for key in given:
        if key not in known:
            raise ConfigError(f"unknown key attack.arguments.{key}: {alternatives(key, known)}")
