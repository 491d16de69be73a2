"""A network that an attack can neither change nor be fooled by."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


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
