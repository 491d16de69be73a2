"""A network together with its normalisation: what every other part sees of a model."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from oodbench.core.checking import check_normalisation
from oodbench.core.errors import ConfigError, one_line
from oodbench.models import class_lists
from oodbench.models.device_memory import is_out_of_memory
from oodbench.models.full_float32 import full_float32
from oodbench.models.stability import dependence

log = logging.getLogger(__name__)

CLASSES = 1000


_BATCH = 2


_SUM_TOLERANCE = 1e-3


class Classifier(nn.Module):
    """Pixels in, logits out. Normalisation is inside, so attacks and engines work in pixel space.

    In evaluation mode, and no parameter asks for a gradient; gradients with respect to the images
    flow as usual.
    """

    mean: Tensor
    std: Tensor
    columns: Tensor
    lacking: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        name: str | None = None,
        classes: str = class_lists.DEFAULT,
        outputs: str = "logits",
        allow_unstable: bool = False,
    ) -> None:
        """Wrap a network.

        Args:
            network: takes normalised float32 `(N, 3, H, W)`, gives `(N, M)`, M the length of the
                class list.
            mean, std: of the three channels, in [0, 1] pixel units.
            name: of the model, for messages; default: the network's class.
            classes: what the M outputs stand for, see `oodbench.models.class_lists.class_list`.
            outputs: logits, or probabilities, which become their logarithms.
            allow_unstable: whether `check_outputs` lets a network pass whose outputs depend on
                chance or on the batch.

        Raises:
            ConfigError: `mean` or `std` are not three numbers up to 1, a `std` is not above 0, or
                there is no such class list.
        """
        super().__init__()
        self.name = name or type(network).__name__
        check_normalisation(f"model {self.name}: ", mean, std)
        self.network = network
        self.classes = classes
        self.outputs = outputs
        self.allow_unstable = allow_unstable
        self.n_outputs = len(class_lists.class_list(classes))
        # Buffers follow .to(device); they are not part of any checkpoint.
        for key, values in (("mean", mean), ("std", std)):
            column = torch.tensor(values, dtype=torch.float32).view(3, 1, 1)
            self.register_buffer(key, column, persistent=False)
        found = class_lists.columns(classes)
        self.mapped = found != list(range(self.n_outputs))
        self.register_buffer("columns", torch.tensor([c or 0 for c in found]), persistent=False)
        self.register_buffer("lacking", torch.tensor([c is None for c in found]), persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch.

        Args:
            images: float32 `(N, 3, H, W)` in [0, 1], not normalised.

        Returns:
            float32 `(N, 1000)`, by ImageNet class index; -inf for a class that the network's class
            list lacks.

        Raises:
            ConfigError: the network's output has another shape.
        """
        logits = self._network_outputs(images)
        if self.outputs == "probabilities":
            logits = log_probabilities(logits)
        if not self.mapped:
            return logits
        # -inf is a constant here: no gradient flows through it, so none becomes NaN.
        return logits[:, self.columns].masked_fill(self.lacking, -torch.inf)

    def check_size(self, height: int, width: int, input_size: int) -> None:
        """Check that the network takes the pictures of a run, where it takes those of its own size.

        Args:
            height, width: of the run's pictures, in pixels.
            input_size: side of those that `check_outputs` has seen.

        Raises:
            ConfigError: it does not.
        """
        if (height, width) == (input_size, input_size):
            return
        try:
            with torch.inference_mode(), full_float32():
                self._network_outputs(torch.zeros(1, 3, height, width).to(self.mean))
        except (AssertionError, RuntimeError, ValueError) as error:
            if is_out_of_memory(error):
                raise
            raise ConfigError(
                f"model {self.name}: its network takes pictures of model.input_size={input_size} "
                f"pixels and fails on the run's, {height} x {width}: use preprocessing=timm "
                f"({one_line(error, 120)})"
            ) from error

    def check_outputs(self, input_size: int) -> None:
        """Check what the network returns for noise of `input_size` pixels a side.

        Raises:
            ConfigError: the network fails, the shape is wrong, an output is not finite, the outputs
                are not what `outputs` says, or they depend on chance or on the batch.
        """
        images = noise(input_size).to(self.mean)
        try:
            with torch.inference_mode(), full_float32():
                found = self._network_outputs(images)
                check_outputs(found, name=self.name, outputs=self.outputs)
                complaint = dependence(self._network_outputs, images)
        except (AssertionError, RuntimeError, ValueError) as error:
            if is_out_of_memory(error):  # no fault of the network's
                raise
            reason = one_line(error, 200)
            raise ConfigError(
                f"model {self.name}: its network fails on pictures of model.input_size="
                f"{input_size} pixels: {reason}"
            ) from error
        if complaint:
            self._refuse(complaint)

    def _refuse(self, complaint: str) -> None:
        """A network that is not stable, or with `allow_unstable` warn of it."""
        if any(module.training for module in self.modules()):
            complaint += "; its forward() puts it into training mode"
        if not self.allow_unstable:
            raise ConfigError(
                f"model {self.name}: {complaint}: switch off dropout and batch statistics in its "
                "forward(), or set model.allow_unstable=true, which marks the result"
            )
        log.warning("model %s: %s: allowed by model.allow_unstable", self.name, complaint)

    def _network_outputs(self, images: Tensor) -> Tensor:
        found = self.network((images - self.mean) / self.std)
        expected = (images.shape[0], self.n_outputs)
        if not isinstance(found, Tensor) or found.shape != expected:
            raise self._wrong_shape(found, expected)
        return found

    def _wrong_shape(self, found: object, expected: tuple[int, int]) -> ConfigError:
        if not isinstance(found, Tensor):
            problem = f"expected logits {expected}, found {type(found).__name__}"
        elif found.ndim == 2 and len(found) == expected[0]:
            problem = class_lists.wrong_count(found.shape[1], self.classes)
        else:
            problem = f"expected logits {expected}, found {tuple(found.shape)}"
        return ConfigError(f"model {self.name}: {problem}")


def log_probabilities(outputs: Tensor) -> Tensor:
    """Logits whose softmax gives probabilities back: log p, of at least the smallest normal float.

    Args:
        outputs: float `(N, M)`, each row non-negative with the sum 1.
    """
    return outputs.clamp_min(torch.finfo(outputs.dtype).tiny).log()


def check_outputs(found: Tensor, *, name: str, outputs: str) -> None:
    """Compare what a network returns with what the config says.

    Args:
        found: float `(N, M)`, the network's own outputs, before any mapping.
        name: of the model, for messages.
        outputs: `model.outputs`: logits or probabilities.

    Raises:
        ConfigError: an output is not finite, logits are probabilities, or the reverse.
    """
    if not torch.isfinite(found).all():
        raise ConfigError(f"model {name}: its outputs are not finite: are these its weights?")
    sums = found.sum(1)
    probable = bool((found >= 0).all() and ((sums - 1).abs() <= _SUM_TOLERANCE).all())
    if probable and outputs == "logits":
        raise ConfigError(
            f"model {name}: its outputs are probabilities: set model.outputs=probabilities"
        )
    if not probable and outputs == "probabilities":
        raise ConfigError(
            f"model {name}: model.outputs=probabilities, but its outputs are none (a row has the "
            f"sum {sums[0].item():.4g} and the least value {found[0].min().item():.4g}): set "
            "model.outputs=logits"
        )


def noise(input_size: int) -> Tensor:
    """A batch of the same pixels each time: float32 `(2, 3, input_size, input_size)` in [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(_BATCH, 3, input_size, input_size, generator=generator)
