"""Plain PyTorch."""

import torch
from torch import Tensor, nn

from oodbench.engines.base import Forward


class EagerEngine:
    """The classifier as it is, under inference mode; channels_last on CUDA."""

    def prepare(self, classifier: nn.Module, example: Tensor) -> Forward:
        """The classifier's own forward pass."""
        if example.is_cuda:
            classifier.to(memory_format=torch.channels_last)

        def forward(images: Tensor) -> Tensor:
            layout = torch.channels_last if images.is_cuda else torch.contiguous_format
            with torch.inference_mode():
                logits: Tensor = classifier(images.contiguous(memory_format=layout))
            return logits

        return forward
