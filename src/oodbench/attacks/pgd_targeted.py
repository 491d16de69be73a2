"""The published attack: targeted l_inf PGD with a random start that stops at the first success."""

from dataclasses import replace

from torch import Tensor, nn

from oodbench.attacks.base import AttackResult
from oodbench.attacks.memory import MemoryBudget
from oodbench.attacks.pgd import PGD


class TargetedPGD(PGD):
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
    """

    def __init__(
        self,
        *,
        name: str = "pgd_targeted",
        eps: float,
        step_size: float,
        iterations: int,
        micro_batch: int | None = None,
        memory: MemoryBudget = None,
    ) -> None:
        """Choose the radius and the steps; conf/attack/pgd_targeted.yaml has the published values.

        Args:
            name: for tables and folders.
            eps: l_inf radius in [0, 1] pixel units.
            step_size: of one iteration, in [0, 1] pixel units.
            iterations: gradient steps, at least 1.
            micro_batch: images in the network at once, with `memory` at most; None: 8 on a CPU,
                256 of 224 x 224 pixels on CUDA.
            memory: GiB that the attack may take beside the model, auto (what is free), or None.

        Raises:
            ConfigError: a value is out of range.
        """
        super().__init__(
            name=name,
            eps=eps,
            step_size=step_size,
            iterations=iterations,
            target="random",
            micro_batch=micro_batch,
            memory=memory,
        )
        self.rules = replace(self.rules, clip_start=False)

    def __call__(
        self,
        classifier: nn.Module,
        images: Tensor,
        labels: Tensor,
        seeds: list[int],
        clean_logits: Tensor | None = None,
    ) -> AttackResult:
        """Attack a batch, see `PGD`.

        Returns:
            `columns`: `target` int64 `(N,)`; `attack_loss` is that of the last iterate, also where
            the clean image is returned.
        """
        result = super().__call__(classifier, images, labels, seeds, clean_logits)
        failed = ~result.succeeded
        result.images[failed] = images.detach()[failed]
        return result
