"""In which order a network's tensors lie in memory."""

import torch


def layout_of(device: torch.device, *, full_float32: bool) -> torch.memory_format:
    """Channels last, in which CPUs and tensor cores compute convolutions fastest; but on CUDA in
    full float32, which no tensor core computes, channels first.

    Args:
        device: that computes.
        full_float32: whether nothing is rounded to TF32, bf16 or fp16.
    """
    if device.type == "cuda" and full_float32:
        return torch.contiguous_format
    return torch.channels_last
