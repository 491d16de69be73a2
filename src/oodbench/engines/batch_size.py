"""Batch sizes where the config names none. Imports no torch: plans ask too."""

from oodbench.engines.settings import device_type

ON_THE_CPU = 8
"""Measured with efficientnet_lite0 and resnet50 on two cores: the activations of a larger batch
outgrow the cache. OpenVINO takes the pictures one by one whatever the batch."""

ON_AN_ACCELERATOR = 32
"""Not measured. Two batches of the largest network, 800 pixels a side, fit 40 GB."""


OF_ATTACK = {"cpu": 16, "cuda": 128}
"""By type of device: an attack refills its own small batches from this."""


def default_batch_size(device: str, *, attack: bool = False) -> int:
    """Pictures a batch.

    Args:
        device: cpu, cuda, cuda:1, …
        attack: whether they are attacked.
    """
    if attack:
        return OF_ATTACK.get(device_type(device), OF_ATTACK["cpu"])
    return ON_THE_CPU if device == "cpu" else ON_AN_ACCELERATOR
