"""Whether a network's outputs are what the config says: logits or probabilities."""

import torch
from torch import Tensor

from oodbench.core.errors import ConfigError

_BATCH = 2
_SUM_TOLERANCE = 1e-3


def log_probabilities(outputs: Tensor) -> Tensor:
    """Logits whose softmax gives probabilities back: log p, of at least the smallest normal float.

    Args:
        outputs: float `(N, M)`, each row non-negative with the sum 1.
    """
    return outputs.clamp_min(torch.finfo(outputs.dtype).tiny).log()


def check_outputs(found: Tensor, *, name: str, outputs: str) -> None:
    """Hold what a network gives against what the config says.

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
