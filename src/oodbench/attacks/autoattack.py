"""AutoAttack, the standard four in their order (Croce & Hein, ICML 2020, arXiv:2003.01690)."""

import torch
from torch import Tensor, nn

from oodbench.attacks.apgd import APGD
from oodbench.attacks.base import Attack, AttackResult, Norm
from oodbench.attacks.checks import ImageError, check_norm
from oodbench.attacks.memory import MemoryBudget
from oodbench.attacks.square import Square
from oodbench.attacks.torchattacks import TorchAttack

NOT_ATTACKED, ROBUST = 0, -1
"""Values of the column `broken_by` beside the number of the attack, from 1."""

_NORMS_OF_FAB = {"linf": "Linf", "l2": "L2"}


class AutoAttack:
    """APGD on cross entropy, targeted APGD, targeted FAB, Square; each on the last one's survivors.

    An image that is misclassified anyway is a success that no attack sees. FAB is that of
    torchattacks; with one start, as here, it draws no random numbers.
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
            micro_batch: images in the network at once, with `memory` at most; None: 8 on a CPU, 64
                on CUDA, with `memory` up to 256.
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
        dlr = APGD(
            name="apgd_t",
            eps=eps,
            norm=norm,
            loss="dlr_targeted",
            iterations=iterations,
            targets=targets,
        )
        fab = TorchAttack(
            name="fab_t",
            attack="FAB",
            arguments={
                "norm": _NORMS_OF_FAB[self.norm],
                "eps": self.eps,
                "steps": iterations,
                "multi_targeted": True,
                "n_classes": targets + 1,
            },
            eps=self.eps,
            norm=norm,
        )
        square = Square(name="square", eps=eps, norm=norm, queries=queries, rescale_schedule=False)
        # One folded copy and one measurement for all of them.
        self.access = dlr.access = fab.access = square.access = ce.access
        self.attacks: tuple[Attack, ...] = (ce, dlr, fab, square)

    def __call__(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, seeds: list[int]
    ) -> AttackResult:
        """Attack a batch.

        Args:
            classifier: images in [0, 1] -> logits `(N, K)`. It is put into evaluation mode.
            images: float32 or float64 `(N, C, H, W)` in [0, 1].
            labels: int64 `(N,)` in 0..K - 1.
            seeds: one per image; every attack starts from it again.

        Returns:
            The picture of a success that was found first, else what the last attack returned.
            `iterations`: the sum over the attacks that saw the image. `columns`: `broken_by` int64,
            0 misclassified anyway, 1 to 4 the attack that succeeded, -1 none did.

        Raises:
            ImageError: a pixel is outside [0, 1], a logit NaN, or a result outside the ball.
            ConfigError: the network has fewer than 4 classes.
        """
        images = images.detach()
        with self.access.open(classifier, images) as passes:
            wrong = passes.logits(images).argmax(1) != labels
        found = images.clone()
        iterations = torch.zeros_like(labels)
        broken_by = torch.where(wrong, NOT_ATTACKED, ROBUST)
        for number, attack in enumerate(self.attacks, start=1):
            left = (broken_by == ROBUST).nonzero().flatten()
            if not len(left):
                break
            result = self._on(attack, classifier, images, labels, seeds, left)
            found[left] = result.images
            iterations[left] += result.iterations
            broken_by[left[result.succeeded]] = number
        return AttackResult(found, broken_by != ROBUST, iterations, {"broken_by": broken_by})

    def _on(
        self,
        attack: Attack,
        classifier: nn.Module,
        images: Tensor,
        labels: Tensor,
        seeds: list[int],
        left: Tensor,
    ) -> AttackResult:
        """Run one attack on the images at `left`."""
        places = left.tolist()
        try:
            return attack(classifier, images[left], labels[left], [seeds[row] for row in places])
        except ImageError as error:
            complaint = f"({attack.name}) {error.complaint}"
            raise ImageError(places[error.position], len(images), complaint) from error
