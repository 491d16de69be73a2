"""Processors, memory and accelerators, within the limits that the process has."""

import os
from collections.abc import Iterator
from pathlib import Path

import torch

from oodbench.core.files import GIB
from oodbench.models.device_memory import free_bytes
from oodbench.sweeps.machine.findings import Finding

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_LITTLE = 2 * GIB
"""With less free memory, large models do not load."""


def hardware() -> Iterator[Finding]:
    """What there is to compute with."""
    usable = len(os.sched_getaffinity(0))
    said = f"{usable} of {os.cpu_count()} cores may be used, {torch.get_num_threads()} threads"
    yield Finding("cpu", "ok", said + _quota())
    yield _memory()
    yield _cuda()
    if torch.backends.mps.is_available():
        yield Finding("mps", "-", "there, and not tested with oodbench", "engine.device=cpu")


def _quota() -> str:
    """The part of the machine that a container may use, where it is limited."""
    try:
        quota, period = _QUOTA.read_text().split()
    except (OSError, ValueError):
        return ""
    if not quota.isdigit():
        return ""
    return f"; its container has the time of {int(quota) / int(period):.3g} cores"


def _memory() -> Finding:
    free = free_bytes(torch.device("cpu"))
    said = f"{free / GIB:.1f} GiB are free"
    if free < _LITTLE:
        return Finding("memory", "bad", said, "close other programs, or set engine.batch_size=1")
    return Finding("memory", "ok", said)


def _cuda() -> Finding:
    if not torch.cuda.is_available():
        built = "PyTorch is built without CUDA" if torch.version.cuda is None else _why_none()
        return Finding("cuda", "-", f"{built}: the CPU computes")
    cards = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        cards.append(f"{name} ({free / GIB:.0f} of {total / GIB:.0f} GiB free)")
    return Finding("cuda", "ok", f"CUDA {torch.version.cuda}: {', '.join(cards)}")


def _why_none() -> str:
    if Path("/dev/nvidiactl").exists():
        return "a card is there that PyTorch cannot use; nvidia-smi shows the driver"
    return "no card"
