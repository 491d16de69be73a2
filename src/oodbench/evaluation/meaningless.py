"""Logits that are no answer: the run stops at the picture that they belong to."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oodbench.core.errors import OutputError
from oodbench.evaluation.batches import Frame


def refuse_meaningless(logits: NDArray[np.float32], frames: Sequence[Frame]) -> None:
    """Stop where a picture has no prediction or no confidence.

    -inf is the mark of a class that the network lacks, and is no fault beside a finite logit.

    Args:
        logits: `(N, M)`.
        frames: the N pictures.

    Raises:
        OutputError: logits of a picture are NaN or +inf, or all of them are -inf; names the first
            such picture.
    """
    # The maximum is NaN where a logit is, and +-inf in the other two cases.
    (wrong,) = np.nonzero(~np.isfinite(logits.max(axis=1)))
    if len(wrong):
        raise OutputError(
            f"{frames[wrong[0]].name}: {_fault(logits[wrong[0]])}, which is no answer: try "
            "engine=eager engine.precision=fp32; if that fails too, check model.weights, "
            "model.mean and model.std, and the picture"
        )


def _fault(logits: NDArray[np.float32]) -> str:
    for is_it, name in ((np.isnan, "NaN"), (np.isposinf, "+inf")):
        if count := int(is_it(logits).sum()):
            return f"{count} of its {len(logits)} logits are {name}"
    return f"all of its {len(logits)} logits are -inf"
