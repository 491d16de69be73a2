"""Refuse an engine whose answers are not the eager engine's."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from oodbench.core.errors import ConfigError
from oodbench.engines.base import Forward
from oodbench.engines.parity import compare
from oodbench.engines.pytorch import reference_logits


def gate(
    forward: Forward, classifier: nn.Module, example: NDArray[np.uint8], *, tolerance: float
) -> None:
    """Let an engine through.

    Args:
        forward: of the engine.
        classifier: what it was made from; computes the reference, in float32.
        example: real pictures of the run, `(n, H, W, 3)`.
        tolerance: largest difference of a logit.

    Raises:
        ConfigError: top-1 or a logit differs, and by how much, or the engine fails.
    """
    expected = reference_logits(classifier, example)
    try:
        logits = forward.start(example).result()
    except Exception as error:  # each library has its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ConfigError(
            f"engine={forward.name} fails on the first pictures: {reason}: use engine=eager"
        ) from error
    found = compare(logits, expected, tolerance=tolerance)
    if complaint := found.complaint(tolerance):
        raise ConfigError(
            f"engine={forward.name}: {complaint} from the eager engine's "
            f"(max |Δlogit| {found.largest:.2g}, engine.tolerance={tolerance:g}): raise the "
            "tolerance, or use engine=eager"
        )
