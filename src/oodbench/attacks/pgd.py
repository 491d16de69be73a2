"""Projected gradient descent and its first step, the fast gradient sign method."""

from torch import Tensor, nn

from oodbench.attacks.balls import ball
from oodbench.attacks.base import AttackResult, Norm, generators_of
from oodbench.attacks.checks import check_count, check_eps, check_norm, check_not_negative
from oodbench.attacks.goals import Choice
from oodbench.attacks.loop import Descent, Rules
from oodbench.attacks.memory import MemoryBudget
from oodbench.attacks.network_access import NetworkAccess

_STATE = 4
"""Tensors of an image's size that a step keeps for each image, temporary ones included."""


class PGD:
    """Projected gradient descent on cross entropy (Madry et al., ICLR 2018).

    A step goes along the sign of the gradient (`linf`) or along the gradient at length 1 (`l2`),
    then back into the ball, then into [0, 1]. An image is done at its first iterate that is a
    success, and where its clean prediction is one it is left as it is. Without `early_stop` the
    last iterate counts alone, as in foolbox 3 and torchattacks.

    Each image has its own random numbers and its own loss, so that its result does not depend on
    the rest of the batch.
    """

    needs_gradients = True
    splits_batches = True
    refills_batches = True

    def __init__(
        self,
        *,
        name: str,
        eps: float,
        step_size: float,
        iterations: int,
        norm: str = "linf",
        random_start: bool = True,
        restarts: int = 1,
        target: str | int = "none",
        top_k: int = 9,
        target_is_label: str = "leave_out",
        early_stop: bool = True,
        micro_batch: int | None = None,
        memory: MemoryBudget = None,
    ) -> None:
        """Set up the attack.

        Args:
            name: for tables and folders.
            eps: radius in [0, 1] pixel units.
            step_size: of one iteration, likewise.
            iterations: gradient steps of a run, at least 1.
            norm: linf or l2.
            random_start: uniform within the ball; otherwise at the clean image.
            restarts: runs of an image that does not succeed, for `top_k` at each target.
            target: none (any error is a success), random, least_likely, top_k or a class index.
            top_k: targets tried one after the other under `target=top_k`; any error is a success.
            target_is_label: with a class index, leave_out (of what is attacked and scored) or next
                (the next class).
            early_stop: an image is done at its first success.
            micro_batch: images in the network at once, with `memory` at most; None: 8 on a CPU,
                256 of 224 x 224 pixels on CUDA.
            memory: GiB that the attack may take beside the model, auto (what is free), or None.

        Raises:
            ConfigError: a value is out of range.
        """
        self.name = name
        self.norm: Norm = check_norm(norm)
        radius = check_eps(eps, self.norm)
        self.eps: float | None = radius
        self.choice = Choice(target, top_k, target_is_label)
        self.judges_last_iterate = not early_stop
        self.uses_seed = random_start or target == "random"
        self.rules = Rules(
            ball=ball(self.norm, radius),
            step_size=check_not_negative("attack.step_size", step_size),
            iterations=check_count("attack.iterations", iterations),
            runs=check_count("attack.restarts", restarts) * self.choice.runs,
            random_start=random_start,
            early_stop=early_stop,
        )
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
            seeds: one per image.
            clean_logits: `(N, K)` of the images, where they are known.

        Returns:
            `images` of the type and on the device of the input, see `Descent.run`.

        Raises:
            ImageError: a pixel is outside [0, 1], a logit NaN, or a gradient not finite.
        """
        images = images.detach()
        generators = generators_of(images, seeds)
        with self.access.open(classifier, images) as passes:
            logits = passes.clean_logits(images, clean_logits)
            goal = self.choice.goal(logits, labels, generators)
            return Descent(passes, images, logits, goal, generators, self.rules).run()


class FGSM(PGD):
    """The fast gradient sign method (Goodfellow et al., ICLR 2015): one step of length eps."""

    steps_key = ""

    def __init__(
        self,
        *,
        name: str = "fgsm",
        eps: float,
        target: str | int = "none",
        top_k: int = 9,
        target_is_label: str = "leave_out",
        micro_batch: int | None = None,
        memory: MemoryBudget = None,
    ) -> None:
        """Set up the attack.

        Args:
            name: for tables and folders.
            eps: l_inf radius in [0, 1] pixel units.
            target: none (any error is a success), random, least_likely, top_k or a class index.
            top_k: targets tried one after the other under `target=top_k`.
            target_is_label: with a class index, leave_out (of what is attacked and scored) or next
                (the next class).
            micro_batch: images in the network at once, with `memory` at most; None: 8 on a CPU,
                256 of 224 x 224 pixels on CUDA.
            memory: GiB that the attack may take beside the model, auto (what is free), or None.

        Raises:
            ConfigError: a value is out of range.
        """
        super().__init__(
            name=name,
            eps=eps,
            step_size=eps,
            iterations=1,
            random_start=False,
            target=target,
            top_k=top_k,
            target_is_label=target_is_label,
            micro_batch=micro_batch,
            memory=memory,
        )
