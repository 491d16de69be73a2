"""What is free on a machine, and what a function takes."""

import mmap
from collections.abc import Callable
from typing import Any

import pytest
import torch

from oodbench.models import device_memory
from oodbench.models.device_memory import (
    forget_peak,
    free_bytes,
    is_out_of_memory,
    peak_bytes,
    peak_of,
)

CPU = torch.device("cpu")
MEBIBYTE = 2**20


def test_the_peak_is_that_of_a_moment() -> None:
    def briefly() -> None:
        torch.ones(100 * MEBIBYTE, dtype=torch.uint8)
        torch.ones(20 * MEBIBYTE, dtype=torch.uint8)

    assert 90 * MEBIBYTE < peak_of(briefly, CPU) < 150 * MEBIBYTE


def test_the_peak_of_a_process_is_forgotten_where_it_is_asked() -> None:
    forget_peak(CPU)
    before = peak_bytes(CPU)
    # Pages of its own: the heap of a process that has run for long may have some to give.
    with mmap.mmap(-1, 200 * MEBIBYTE) as pages:
        for start in range(0, len(pages), mmap.PAGESIZE):
            pages[start] = 1
    highest = peak_bytes(CPU)
    assert before is not None
    assert highest is not None
    assert highest - before > 150 * MEBIBYTE
    forget_peak(CPU)
    after = peak_bytes(CPU)
    assert after is not None
    assert after < highest - 100 * MEBIBYTE


def test_what_is_free_is_within_the_limit_of_the_container(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = tmp_path / "meminfo"
    machine.write_text("MemTotal: 9 kB\nMemAvailable:    4000 kB\n")
    monkeypatch.setattr(device_memory, "_MACHINE", machine)
    monkeypatch.setattr(device_memory, "_CGROUP", tmp_path)
    assert free_bytes(CPU) == 4000 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(CPU) == 4000 * 1024
    (tmp_path / "memory.max").write_text("2000000\n")
    (tmp_path / "memory.current").write_text("1500000\n")
    (tmp_path / "memory.stat").write_text("anon 7\ninactive_file 300000\n")
    assert free_bytes(CPU) == 800_000


class Card:
    """A CUDA device with 3 of 10 GB free, of which this process holds 2 and uses half a one."""

    def mem_get_info(self, device: torch.device) -> tuple[int, int]:
        return 3_000, 10_000

    def memory_reserved(self, device: torch.device) -> int:
        return 2_000

    def memory_allocated(self, device: torch.device) -> int:
        return 500


def test_what_is_free_on_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card()
    for name in ("mem_get_info", "memory_reserved", "memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, getattr(card, name))
    assert free_bytes(torch.device("cuda:1")) == 3_000 + 1_500


def test_the_peak_on_a_card_is_above_what_was_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    answers = {"memory_allocated": 700, "max_memory_allocated": 900}

    def stand_in(name: str) -> Callable[..., int]:
        def call(*device: torch.device) -> int:
            assert device in ((), (torch.device("cuda:1"),))
            calls.append(name)
            return answers.get(name, 0)

        return call

    asked = ("empty_cache", "reset_peak_memory_stats", "memory_allocated", "max_memory_allocated")
    for name in asked:
        monkeypatch.setattr(torch.cuda, name, stand_in(name))
    assert peak_of(lambda: calls.append("step"), torch.device("cuda:1")) == 200
    assert calls == [*asked[:3], "step", asked[3]]


@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 2 GiB",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to",
    ],
)
def test_what_the_libraries_say_when_memory_is_out(message: str) -> None:
    assert is_out_of_memory(RuntimeError(message))
    assert not is_out_of_memory(ValueError(message))


def test_another_failure_is_none_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED"))
