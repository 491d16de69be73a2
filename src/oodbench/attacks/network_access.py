"""How an attack uses a network: frozen, folded, and no more images at once than fit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from oodbench.attacks.checks import check_count, check_range, refuse_without_gradients
from oodbench.attacks.host import to_device
from oodbench.attacks.memory import (
    MemoryBudget,
    Planner,
    check_memory,
    halved,
    own_bytes,
)
from oodbench.models.device_memory import is_out_of_memory, release, without_frames
from oodbench.models.folded.layout import layout_of
from oodbench.models.folded.networks import FoldedNetworks

CPU_MICRO_BATCH = 8
"""Fastest with two threads, see measurements/attacks.py: the activations of a few images stay in
the processor's cache. With one thread 16 is: PyTorch then computes 1x1 convolutions of fewer images
without oneDNN."""

MOST_ON_CUDA = 256
"""Of pictures of 224 x 224. The larger the batch, the less of the time goes into asking the GPU for
its next operation: on an H100, 64 pictures took a small network as long as 256 (`docs/gpu.md`).
What does not fit is halved."""

NATIVE = 224**2
"""Pixels of a picture where they are not known."""

SMALLER = (64, 16, 8, 4, 2, 1)
"""What `micro_batch` is divided by for the sizes of batches on CUDA. A further size takes as long
as cuDNN needs to plan for it, once a process (about 0.3 s for a small network); a size that is
missing takes as long as the images that fill up a larger batch, again and again. A sixteenth takes
a small network hardly longer than fewer images do, because its operations have to be asked for one
by one; a large one it does, hence the last size."""

ROOM = 16
"""A pass of this share of `micro_batch` takes little longer than one of a single image."""

_ALL = 2**31
"""More than any batch has."""

Objective = Callable[[Tensor, slice], tuple[Tensor, list[bool]]]
"""Logits `(k, K)` and the places of these images in the batch -> values `(k,)`, and of which of
them the gradient is wanted, for the host to know without asking the device."""

_Part = TypeVar("_Part")


@dataclass(frozen=True)
class Passed:
    """What forward and backward passes have found.

    Attributes:
        logits: `(N, K)`, detached like everything here.
        values: of the objective, `(N,)`.
        wanted: of which of the N images the gradient was.
        gradients: of each value with respect to its own image; 0 where not wanted.
    """

    logits: Tensor
    values: Tensor
    wanted: list[bool]
    gradients: Tensor


class Parts:
    """As many images at once as fit; `micro_batch` falls when memory runs out."""

    def __init__(self, micro_batch: int = _ALL) -> None:
        """Set up.

        Args:
            micro_batch: images at once.
        """
        self.micro_batch = micro_batch

    def in_parts(self, images: Tensor, one: Callable[[Tensor, slice], _Part]) -> list[_Part]:
        """Results for parts of the images, in their order, smaller ones once memory has run out.

        Args:
            images: `(N, C, H, W)`.
            one: takes a part and its places in the batch.

        Raises:
            AttackError: memory runs out with a single image.
        """
        parts: list[_Part] = []
        done = 0
        while done < len(images):
            part = images[done : done + self.micro_batch]
            failure: BaseException | None = None
            try:
                parts.append(one(part, slice(done, done + len(part))))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failure = without_frames(error)
            if failure is None:
                done += len(part)
            else:
                self.micro_batch = halved(self.size_of(len(part)), failure)
                release(images.device)
        return parts

    def size_of(self, count: int) -> int:
        """Images that a pass of `count` of them computes."""
        return count


class Passes(Parts):
    """A prepared network."""

    def __init__(self, network: nn.Module, micro_batch: int, *, few_sizes: bool = False) -> None:
        """Set up.

        Args:
            network: images in [0, 1] -> logits `(N, K)`, frozen.
            micro_batch: images in it at once.
            few_sizes: of a smaller batch the last image is repeated up to the next one of a few
                sizes. cuDNN plans every convolution anew for every size, which takes as long as
                many passes, and images that are done leave batches of all sizes.
        """
        super().__init__(micro_batch)
        self.network = network
        self._few_sizes = few_sizes

    def size_of(self, count: int) -> int:
        """Images that a pass of `count` of them computes, those that fill it up among them."""
        return next_size(count, self.micro_batch) if self._few_sizes else count

    def room(self, count: int) -> int:
        """How many images a pass may have that takes little longer than one of `count`."""
        if not self._few_sizes or count > self.micro_batch:
            return count
        return max(self.size_of(count), -(-self.micro_batch // ROOM))

    def groups(self, images: Tensor) -> Iterator[Tensor]:
        """Positions int64 `(k,)` of as many images as go through at once."""
        start = 0
        while start < len(images):
            stop = min(start + self.micro_batch, len(images))
            yield torch.arange(start, stop, device=images.device)
            start = stop

    def logits(self, images: Tensor) -> Tensor:
        """Logits `(N, K)` without gradients of images `(N, C, H, W)`, N at least 1.

        Raises:
            AttackError: memory runs out with a single image.
        """

        def forward(part: Tensor, places: slice) -> Tensor:
            with torch.no_grad():
                return self._logits(part)

        return _joined(self.in_parts(images, forward))

    def clean_logits(self, images: Tensor, known: Tensor | None) -> Tensor:
        """Those that are known, else those of a pass, see `logits`."""
        return self.logits(images) if known is None else known

    def gradients(self, images: Tensor, objective: Objective, *, backward: bool = True) -> Passed:
        """One forward pass and, where gradients are wanted, a backward pass.

        Args:
            images: `(N, C, H, W)`, N at least 1.
            objective: is called again for the same images when memory runs out, so that what it
                keeps must be kept by their places.
            backward: False where no gradient will be wanted, which saves keeping activations.

        Raises:
            AttackError: memory runs out with a single image.
            ConfigError: the network has no gradients.
        """

        def both(part: Tensor, places: slice) -> Passed:
            with torch.set_grad_enabled(backward):
                leaves = part.detach().requires_grad_(backward)
                logits = self._logits(leaves)
                if backward:
                    refuse_without_gradients(logits)
                values, wanted = objective(logits, places)
                if backward and any(wanted):
                    # Of the sum, not the mean: an image's is then the same in every batch.
                    weights = to_device(torch.tensor(wanted), values.device).to(values.dtype)
                    (gradients,) = torch.autograd.grad(values, leaves, weights)
                else:
                    gradients = torch.zeros_like(part)
            return Passed(logits.detach(), values.detach(), wanted, gradients)

        parts = self.in_parts(images, both)
        return Passed(
            _joined([part.logits for part in parts]),
            _joined([part.values for part in parts]),
            [wanted for part in parts for wanted in part.wanted],
            _joined([part.gradients for part in parts]),
        )

    def _logits(self, images: Tensor) -> Tensor:
        """Of images `(N, C, H, W)`, in at least single precision, in which losses are computed."""
        count = len(images)
        more = self.size_of(count) - count
        if more:
            images = torch.cat([images, images[-1:].detach().expand(more, -1, -1, -1)])
        logits = torch.as_tensor(self.network(images)[:count])
        return logits if logits.dtype == torch.float64 else logits.float()


def next_size(count: int, most: int) -> int:
    """The smallest size that is at least `count`, of `most` and its parts, rounded up."""
    return next(size for size in (-(-most // by) for by in SMALLER) if size >= count)


@contextmanager
def frozen(classifier: nn.Module) -> Iterator[None]:
    """In evaluation mode, and no parameter asks for a gradient while the context lasts.

    Evaluation mode stays afterwards: BatchNorm must never see the batch, and a library that
    restores the mode it found (torchattacks) then restores this one.
    """
    classifier.eval()
    asking = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    for parameter in asking:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in asking:
            parameter.requires_grad_()


class NetworkAccess:
    """Of an attack, for all its batches: remembers folded copies and what fits."""

    def __init__(
        self,
        micro_batch: int | None,
        memory: MemoryBudget,
        *,
        gradients: bool = True,
        state: int = 0,
        as_it_is: bool = False,
    ) -> None:
        """Set up.

        Args:
            micro_batch: images in the network at once, with `memory` at most; None: 8 on a CPU,
                256 of 224 x 224 pixels on CUDA.
            memory: GiB that the attack may take beside the model, auto (what is free), or None.
            gradients: whether the attack uses any.
            state: tensors of an image's size that the attack keeps for each one in the network.
            as_it_is: the network is not folded, and without any limit all images go through at
                once, as attacks of other libraries expect.

        Raises:
            ConfigError: a value is out of range.
        """
        self._micro_batch = (
            None if micro_batch is None else check_count("attack.micro_batch", micro_batch)
        )
        self._planner = Planner(check_memory(memory), gradients=gradients, state=state)
        self._folded = FoldedNetworks(fused_activations=True)
        self._as_it_is = as_it_is

    @contextmanager
    def open(self, classifier: nn.Module, images: Tensor) -> Iterator[Passes]:
        """Prepare a network for a batch, and leave it as it was but in evaluation mode.

        Args:
            classifier: images in [0, 1] -> logits `(N, K)`.
            images: `(N, C, H, W)`, N at least 1.

        Raises:
            ImageError: a pixel is outside [0, 1].
            AttackError: a budget is given, and memory runs out with a single image.
        """
        check_range(images)
        with frozen(classifier):
            network = classifier if self._as_it_is else self._copy(classifier, images[:1])
            taken = own_bytes(network, classifier)
            plan = self._planner.of(network, images, self._at_most(images), taken)
            with plan.applied(network):
                few_sizes = images.device.type == "cuda" and not self._as_it_is
                passes = Passes(network, plan.micro_batch, few_sizes=few_sizes)
                yield passes
            self._planner.lower(network, images, passes.micro_batch)

    def _copy(self, classifier: nn.Module, image: Tensor) -> nn.Module:
        full_float32 = not torch.backends.cudnn.allow_tf32
        layout = layout_of(image.device, full_float32=full_float32)
        return self._folded.of(classifier, image, layout)

    def _at_most(self, images: Tensor) -> int:
        planned = self._planner.budget is not None
        if self._micro_batch is not None:
            return self._micro_batch
        if self._as_it_is and not planned:
            return _ALL
        pixels = images.shape[2] * images.shape[3]
        return default_micro_batch(images.device, pixels, planned=planned)


def default_micro_batch(
    device: torch.device, pixels: int = NATIVE, *, planned: bool = False
) -> int:
    """Images in the network at once, unless configured.

    Args:
        device: that computes.
        pixels: of an image.
        planned: it is the most, of which as many are used as a memory budget allows.
    """
    if device.type != "cuda":
        return CPU_MICRO_BATCH
    return MOST_ON_CUDA if planned else max(1, MOST_ON_CUDA * NATIVE // pixels)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
