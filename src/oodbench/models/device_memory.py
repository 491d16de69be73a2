"""Memory of a device: what is free, what a function takes, and whether that was too much."""

import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from oodbench.core.files import GIB

_POLL_SECONDS = 0.002
_STATUS = Path("/proc/self/statm")
_PEAK = Path("/proc/self/status")
_REFERENCES = Path("/proc/self/clear_refs")
_MACHINE = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")

_SAID = (
    *("can't allocate memory", "not enough memory", "out of memory"),
    # of cuDNN and cuBLAS, which allocate beside PyTorch
    *("_status_alloc_failed", "cublas_status_not_initialized"),
)


def can_be_measured() -> bool:
    """Whether this machine says what a process takes: on CUDA, and on Linux."""
    return torch.cuda.is_available() or _STATUS.exists()


def peak_of(function: Callable[[], object], device: torch.device) -> int:
    """Peak number of bytes in use while a function runs, above those in use before.

    Of the process (resident set) on a CPU, of PyTorch's tensors on CUDA.
    """
    if device.type == "cuda":
        release(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        function()
        return torch.cuda.max_memory_allocated(device) - before
    release(device)
    before = _resident()
    highest, stop = before, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not stop.wait(_POLL_SECONDS):
            highest = max(highest, _resident())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        function()
    finally:
        stop.set()
        watcher.join()
    return max(highest, _resident()) - before


def forget_peak(device: torch.device) -> None:
    """From here on, `peak_bytes` is of what follows; where the system allows it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):
        _REFERENCES.write_text("5")  # resets the peak, as proc(5) says


def peak_bytes(device: torch.device) -> int | None:
    """Most bytes that were in use at once; None where the system does not say.

    Of this process (resident set) on a CPU, without those that read pictures for it; of PyTorch's
    tensors on CUDA.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = dict(line.split(":", 1) for line in _PEAK.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a failed pass might succeed with fewer images."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    message = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in message for words in _SAID)


def without_frames(error: BaseException) -> BaseException:
    """The error, no longer holding what was in memory where it was raised.

    Its traceback, and those of the errors that it followed, lead to the frames of the failed pass
    and so to its activations.
    """
    found: list[BaseException | None] = [error]
    for each in found:
        if each is not None:
            each.__traceback__ = None
            found += [
                before for before in (each.__cause__, each.__context__) if before not in found
            ]
    return error


def release(device: torch.device) -> None:
    """Give memory that is free within the process back to the system, where that can be asked."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def free_bytes(device: torch.device) -> int:
    """Bytes that this process could still take, those that PyTorch holds unused among them."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    return _free_on_machine()


def free_text(device: torch.device) -> str:
    """What is free, as a part of a message."""
    try:
        free = free_bytes(device)
    except (RuntimeError, OSError):  # of a card that is so full that it cannot even be asked
        return f"what is free on {device} cannot be found out"
    return f"{free / GIB:.2f} GiB are free on {device}"


def _free_on_machine() -> int:
    """Bytes that are still available on the machine, or within the container's limit."""
    lines = dict(line.split(":") for line in _MACHINE.read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    limit = _CGROUP / "memory.max"
    if limit.exists() and limit.read_text().strip().isdigit():
        used = int((_CGROUP / "memory.current").read_text())
        of_used = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        cached = int(of_used.get("inactive_file", 0))  # given back when memory is asked for
        free = min(free, int(limit.read_text()) - used + cached)
    return max(free, 0)


def _resident() -> int:
    return int(_STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
