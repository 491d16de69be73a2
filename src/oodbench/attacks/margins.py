"""By how much the label leads."""

import torch
from torch import Tensor


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """Logit of the label minus the highest other one, `(k,)`."""
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    return logits.gather(1, labels[:, None])[:, 0] - others
