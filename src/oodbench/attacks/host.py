"""What crosses between the host and the device that an attack computes on.

A GPU works through what it was asked for while the host asks for more. Whenever the host looks at a
number, it waits until all of that is done, and the GPU then waits for the host: a step of an attack
looks once, or not at all.
"""

import torch
from torch import Tensor


def to_host(*columns: Tensor) -> list[list[int]]:
    """The values of `(k,)` integer or bool columns, in one transfer that waits for the device."""
    values: list[list[int]] = torch.stack([column.long() for column in columns]).tolist()
    return values


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """A CPU tensor on a device, which is not waited for."""
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def rows_at(places: list[int], count: int, device: torch.device) -> Tensor | slice:
    """An index of ascending places among `count`, that copies nothing where it is all of them."""
    if len(places) == count:
        return slice(None)
    return to_device(torch.tensor(places, dtype=torch.int64), device)
