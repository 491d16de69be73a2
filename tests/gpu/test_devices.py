"""A CUDA device as PyTorch sees it: what the other tests here stand on."""

import pytest
import torch

from oodbench.core.errors import ConfigError
from oodbench.engines.settings import resolve_device
from oodbench.models.device_memory import free_bytes, peak_of

pytestmark = pytest.mark.gpu

MEBIBYTE = 2**20


def test_the_device_is_found_and_one_beyond_the_last_is_refused() -> None:
    count = torch.cuda.device_count()
    assert resolve_device("auto") == "cuda"
    assert resolve_device(f"cuda:{count - 1}") == f"cuda:{count - 1}"
    with pytest.raises(ConfigError, match=f"engine.device=cuda:{count}"):
        resolve_device(f"cuda:{count}")


def test_the_peak_is_that_of_a_moment() -> None:
    device = torch.device("cuda")

    def briefly() -> None:
        torch.ones(100 * MEBIBYTE, dtype=torch.uint8, device=device)
        torch.ones(20 * MEBIBYTE, dtype=torch.uint8, device=device)

    assert 90 * MEBIBYTE < peak_of(briefly, device) < 150 * MEBIBYTE


def test_what_is_taken_is_no_longer_free() -> None:
    device = torch.device("cuda")
    before = free_bytes(device)
    taken = torch.ones(512 * MEBIBYTE, dtype=torch.uint8, device=device)
    assert before - free_bytes(device) >= 500 * MEBIBYTE
    del taken
