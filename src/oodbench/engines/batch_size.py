"""Batch sizes where the config names none. Imports no torch: plans ask too."""

ON_THE_CPU = 8
"""Measured with efficientnet_lite0 and resnet50 on two cores: the activations of a larger batch
outgrow the cache. OpenVINO takes the pictures one by one whatever the batch."""

ON_AN_ACCELERATOR = 32
"""Not measured. Two batches of the largest network, 800 pixels a side, fit 40 GB."""


def default_batch_size(device: str) -> int:
    """Pictures a batch, without an attack.

    Args:
        device: cpu, cuda, cuda:1, …
    """
    return ON_THE_CPU if device == "cpu" else ON_AN_ACCELERATOR
