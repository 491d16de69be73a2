"""AutoAttack, the standard four in their order (Croce & Hein, ICML 2020, arXiv:2003.01690)."""

import logging
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from oodbench.attacks.apgd import APGD, LEAST_OF_DLR
from oodbench.attacks.base import Attack, AttackResult, Norm, attacked
from oodbench.attacks.checks import ImageError, check_norm
from oodbench.attacks.memory import MemoryBudget
from oodbench.attacks.square import Square
from oodbench.attacks.torchattacks import TorchAttack
from oodbench.core.errors import ConfigError

log = logging.getLogger(__name__)

NOT_ATTACKED, ROBUST = 0, -1
"""Values of the column `broken_by` beside the number of the attack, from 1."""

_NORMS_OF_FAB = {"linf": "Linf", "l2": "L2"}


class AutoAttack:
    """APGD on cross entropy, targeted APGD, targeted FAB, Square; each on the last one's survivors.

    An image that is misclassified anyway is a success that no attack sees. FAB is that of
    torchattacks; with one start, as here, it draws no random numbers. Of a network with few classes
    the targeted attacks try all the others; with fewer than four, targeted APGD takes cross entropy
    for the ratio of logits, which needs four.
    """

    needs_gradients = True
    splits_batches = True
    gradient_free_part = True

    def __init__(
        self,
        *,
        name: str,
        eps: float,
        norm: str = "linf",
        iterations: int = 100,
        targets: int = 9,
        queries: int = 5000,
        micro_batch: int | None = None,
        memory: MemoryBudget = None,
    ) -> None:
        """Choose the ball, and how long each of the four attacks searches it.

        Args:
            name: for tables and folders.
            eps: radius in [0, 1] pixel units.
            norm: linf or l2.
            iterations: gradient steps of a run of APGD and FAB.
            targets: classes that targeted APGD and FAB try, the likeliest wrong ones.
            queries: of Square.
            micro_batch: images in the network at once, with `memory` at most; None: 8 on a CPU,
                256 of 224 x 224 pixels on CUDA.
            memory: GiB that the attack may take beside the model, auto (what is free), or None.

        Raises:
            ConfigError: a value is out of range.
        """
        self.name = name
        self.norm: Norm = check_norm(norm)
        ce = APGD(
            name="apgd_ce",
            eps=eps,
            norm=norm,
            iterations=iterations,
            micro_batch=micro_batch,
            memory=memory,
        )
        self.eps = ce.eps
        square = Square(name="square", eps=eps, norm=norm, queries=queries, rescale_schedule=False)
        # One folded copy and one measurement for all of them.
        self.access = square.access = ce.access
        self._targets = targets
        self._targeted = partial(
            APGD, name="apgd_t", eps=eps, norm=norm, iterations=iterations, targets=targets
        )
        self._fab_arguments: dict[str, Any] = {
            "norm": _NORMS_OF_FAB[self.norm],
            "eps": self.eps,
            "steps": iterations,
            "multi_targeted": True,
        }
        self._few_classes = cache(self._for_few_classes)
        self._dlr, self._fab = self._apgd("dlr_targeted"), self._fab_of(targets + 1)
        self.attacks: tuple[Attack, ...] = (ce, self._dlr, self._fab, square)

    def _apgd(self, loss: str) -> Attack:
        """The targeted APGD on a loss."""
        attack = self._targeted(loss=loss)
        attack.access = self.access
        return attack

    def _fab_of(self, classes: int) -> Attack:
        """FAB on all but the likeliest of these classes."""
        attack = TorchAttack(
            name="fab_t",
            attack="FAB",
            arguments={**self._fab_arguments, "n_classes": classes},
            eps=self.eps,
            norm=self.norm,
        )
        attack.access = self.access
        return attack

    def _for_few_classes(self, classes: int) -> tuple[Attack, Attack]:
        """The targeted APGD and FAB of a network with no more classes than targets are wanted."""
        if classes < 2:
            raise ConfigError(
                f"attack={self.name}: the model has {classes} class: there is no error to make"
            )
        if classes >= LEAST_OF_DLR:
            return self._dlr, self._fab_of(classes)
        log.warning(
            "attack=%s: the model has %d classes, and the ratio of logits of targeted APGD needs "
            "%d: it takes cross entropy",
            *(self.name, classes, LEAST_OF_DLR),
        )
        return self._apgd("ce_targeted"), self._fab_of(classes)

    def _fitting(self, attack: Attack, classes: int) -> Attack:
        """The attack for a network of so many classes."""
        if classes > self._targets and classes >= LEAST_OF_DLR:
            return attack
        apgd, fab = self._few_classes(classes)
        return {id(self._dlr): apgd, id(self._fab): fab}.get(id(attack), attack)

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
            seeds: one per image; every attack starts from it again.
            clean_logits: `(N, K)` of the images, where they are known.

        Returns:
            The picture of a success that was found first, else what the last attack returned.
            `iterations`: the sum over the attacks that saw the image. `columns`: `broken_by` int64,
            0 misclassified anyway, 1 to 4 the attack that succeeded, -1 none did;
            `broken_without_gradients` bool, it was one that asks for none; and over all attacks
            `zero_gradient` and `loss_stuck` (of any), `steps_without_gradient` (the sum).

        Raises:
            ImageError: a pixel is outside [0, 1], a logit NaN, or a result outside the ball.
            ConfigError: the network has one class only.
        """
        images = images.detach()
        with self.access.open(classifier, images) as passes:
            logits = passes.clean_logits(images, clean_logits)
        wrong = logits.argmax(1) != labels
        classes = int((~torch.isneginf(logits)).sum(1).min())
        found = images.clone()
        iterations = torch.zeros_like(labels)
        broken_by = torch.where(wrong, NOT_ATTACKED, ROBUST)
        columns = {
            "zero_gradient": torch.zeros_like(wrong),
            "loss_stuck": torch.zeros_like(wrong),
            "steps_without_gradient": torch.zeros_like(labels),
            "broken_without_gradients": torch.zeros_like(wrong),
        }
        for number, attack in enumerate(self.attacks, start=1):
            left = (broken_by == ROBUST).nonzero().flatten()
            if not len(left):
                break
            fitting = self._fitting(attack, classes)
            result = self._on(fitting, classifier, images, labels, seeds, left, logits)
            found[left] = result.images
            iterations[left] += result.iterations
            broken = left[result.succeeded]
            broken_by[broken] = number
            columns["broken_without_gradients"][broken] = not attack.needs_gradients
            for name in columns.keys() & result.columns.keys():
                columns[name][left] += result.columns[name]
        columns["broken_by"] = broken_by
        return AttackResult(found, broken_by != ROBUST, iterations, columns)

    def _on(
        self,
        attack: Attack,
        classifier: nn.Module,
        images: Tensor,
        labels: Tensor,
        seeds: list[int],
        left: Tensor,
        logits: Tensor,
    ) -> AttackResult:
        """Run one attack on the images at `left`; `(N, K)` are the logits of all clean ones."""
        places = left.tolist()
        own = [seeds[row] for row in places]
        try:
            return attacked(attack, classifier, images[left], labels[left], own, logits[left])
        except ImageError as error:
            complaint = f"({attack.name}) {error.complaint}"
            raise ImageError(places[error.position], len(images), complaint) from error
