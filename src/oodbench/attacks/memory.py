"""How many images may be in the network at once, from what one gradient step of one image takes."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef

from oodbench.attacks.checks import refuse_without_gradients
from oodbench.attacks.frugal import checkpointed, lean_norms
from oodbench.core.errors import AttackError, ConfigError
from oodbench.core.files import GIB
from oodbench.models.device_memory import can_be_measured, free_bytes, is_out_of_memory, peak_of

SHARE = 0.9
"""Share of the budget to plan with: allocators lose some of the rest between tensors."""

AUTO_SHARE = 0.8
"""Share of the free memory to use: other programs need some, too."""

MemoryBudget = float | str | None

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MemoryPlan:
    """How an attack goes through a network.

    Attributes:
        micro_batch: images in it at once.
        frugal: blocks are checkpointed, and BatchNorm keeps nothing.
    """

    micro_batch: int
    frugal: bool

    @contextmanager
    def applied(self, network: nn.Module) -> Iterator[None]:
        """Prepare a network whose parameters are frozen, and leave it as it was."""
        with ExitStack() as stack:
            if self.frugal:
                stack.enter_context(lean_norms(network))
                stack.enter_context(checkpointed(network))
            yield


def check_memory(value: MemoryBudget) -> MemoryBudget:
    """Return `attack.memory` if it is a valid one.

    Args:
        value: None (the micro-batch is used as it is), auto, or GiB beside the model.

    Raises:
        ConfigError: it is something else, or memory cannot be measured here.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and value != "auto" and not (number and float(value) > 0):
        raise ConfigError(f"attack.memory={value}: must be null, auto or GiB above 0, such as 3.5")
    if value is not None and not can_be_measured():
        raise ConfigError(f"attack.memory={value}: needs CUDA or Linux; use attack.micro_batch")
    return value


@dataclass
class Planner:
    """Plans for the networks that an attack meets, each measured once per image size.

    Attributes:
        budget: of `attack.memory`.
        gradients: whether the attack uses any; if not, a forward pass is measured.
        state: tensors of an image's size that the attack keeps for each image in the network.
        measure: bytes that a function takes at its peak.
    """

    budget: MemoryBudget
    gradients: bool = True
    state: int = 0
    measure: Callable[[Callable[[], object], torch.device], int] = field(
        default_factory=lambda: peak_of
    )
    _known: WeakKeyDictionary[nn.Module, dict[torch.Size, MemoryPlan]] = field(
        default_factory=WeakKeyDictionary
    )

    def of(
        self, network: nn.Module, images: Tensor, micro_batch: int, taken: int = 0
    ) -> MemoryPlan:
        """The plan for a network and images of a size.

        Args:
            network: in evaluation mode, its parameters without gradients.
            images: `(N, C, H, W)` in [0, 1], at least one; the attack keeps a second copy of them.
            micro_batch: most images at once; without a budget, exactly so many.
            taken: bytes of a budget in GiB that the attack uses already.

        Raises:
            AttackError: memory runs out with a single image.
        """
        plans = self._known.setdefault(network, {})
        size = images.shape[1:]
        if size not in plans:
            plans[size] = self._made(network, images, micro_batch, taken)
        return plans[size]

    def lower(self, network: nn.Module, images: Tensor, micro_batch: int) -> None:
        """Remember what was left of the micro-batch when memory ran out."""
        plans = self._known[network]
        plan = plans[images.shape[1:]]
        plans[images.shape[1:]] = MemoryPlan(min(plan.micro_batch, micro_batch), plan.frugal)

    def _made(self, network: nn.Module, images: Tensor, micro_batch: int, taken: int) -> MemoryPlan:
        if self.budget is None:
            return MemoryPlan(micro_batch, frugal=False)
        image = images[:1]
        budget = _bytes(self.budget, image.device) - images.nbytes
        if self.budget != "auto":  # what is free now does not include it
            budget -= taken
        budget = max(0, budget)
        usable = int(SHARE * budget)
        kept = kept_bytes(network, image) if self.gradients else 0
        # A backward pass that is run to see whether it fits must not be what fails.
        if kept <= usable:
            needed = self._needed(network, image, frugal=False)
            if needed is not None and (needed <= usable or not self.gradients):
                return self._fitting(needed, budget, micro_batch, frugal=False)
            takes = "runs out of memory" if needed is None else f"takes {needed / GIB:.2f} GiB"
            reason = f"{takes} without"
        else:
            reason = f"would keep {kept / GIB:.2f} GiB of activations without"
        # What is checkpointed are activations for gradients.
        needed = self._needed(network, image, frugal=True) if self.gradients else None
        if needed is None:
            even = " even with checkpointing" if self.gradients else ""
            raise AttackError(
                f"attack.memory={self.budget}: out of memory with one image{even}: make the images "
                "smaller"
            )
        return self._fitting(needed, budget, micro_batch, frugal=True, reason=reason)

    def _needed(self, network: nn.Module, image: Tensor, *, frugal: bool) -> int | None:
        """Bytes; None where there is less memory than that."""
        step = _step if self.gradients else _forward
        try:
            with MemoryPlan(1, frugal).applied(network):
                needed = self.measure(lambda: step(network, image), image.device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        return max(1, needed) + self.state * image.nbytes

    def _fitting(
        self, needed: int, budget: int, micro_batch: int, *, frugal: bool, reason: str = ""
    ) -> MemoryPlan:
        fitting = int(SHARE * budget) // needed
        plan = MemoryPlan(max(1, min(micro_batch, fitting)), frugal)
        log.info(
            "attack.memory=%s, %.2f GiB for activations: a %s of one image takes %.2f GiB; "
            "micro-batch %d of at most %d, %s",
            self.budget,
            budget / GIB,
            "step" if self.gradients else "query",
            needed / GIB,
            plan.micro_batch,
            micro_batch,
            f"checkpointing on: an image {reason}" if frugal else "checkpointing off",
        )
        if not fitting:
            log.warning(
                "attack.memory=%s: one image takes %.2f GiB%s; going on with one at a time",
                self.budget,
                needed / GIB,
                " even with checkpointing" if frugal else "",
            )
        return plan


def own_bytes(network: nn.Module, other: nn.Module) -> int:
    """Bytes of the weights of a network that it does not share with another one."""
    shared = {tensor.data_ptr() for tensor in (*other.parameters(), *other.buffers())}
    tensors = (*network.parameters(), *network.buffers())
    return sum(tensor.nbytes for tensor in tensors if tensor.data_ptr() not in shared)


def kept_bytes(network: nn.Module, images: Tensor) -> int:
    """Activations that autograd would keep for the gradient to the images, in bytes.

    They are counted and let go, so that this takes no more than a forward pass without gradients.
    """
    weights = {
        tensor.untyped_storage().data_ptr()
        for tensor in (*network.parameters(), *network.buffers())
    }
    counted: dict[int, Any] = {}
    reference: Any = StorageWeakRef
    total = 0

    def count(tensor: Tensor) -> None:
        nonlocal total
        storage = tensor.untyped_storage()
        place = storage.data_ptr()
        # An address alone is not enough: what is let go leaves it to the next tensor.
        if place in weights or (place in counted and not counted[place].expired()):
            return
        counted[place] = reference(storage)
        total += storage.nbytes()

    def unused(_: Any) -> Tensor:
        raise AssertionError("there is no backward pass")

    with torch.enable_grad(), saved_tensors_hooks(count, unused):
        network(images.detach().requires_grad_())
    return total


def halved(micro_batch: int, error: BaseException) -> int:
    """Half of a micro-batch that did not fit.

    Raises:
        AttackError: it was a single image.
    """
    reason = str(error).split("\n")[0] or type(error).__name__
    if micro_batch <= 1:
        raise AttackError(
            f"out of memory with one image in the network ({reason}): set attack.memory=auto, or "
            "make the images smaller"
        ) from error
    log.warning("out of memory with %d images, going on with half: %s", micro_batch, reason)
    return micro_batch // 2


def _step(network: nn.Module, image: Tensor) -> None:
    with torch.enable_grad():
        leaf = image.detach().clone().requires_grad_()
        logits = network(leaf)
        refuse_without_gradients(logits)
        torch.autograd.grad(logits.logsumexp(1).sum(), leaf)


def _forward(network: nn.Module, image: Tensor) -> None:
    with torch.no_grad():
        network(image)


def _bytes(budget: float | str, device: torch.device) -> int:
    if budget != "auto":
        return int(float(budget) * GIB)
    return int(AUTO_SHARE * free_bytes(device))
