"""Devices that are not there, and batch sizes without torch."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from oodbench.core.errors import ConfigError
from oodbench.core.schema import EngineConfig
from oodbench.engines.pytorch import set_precision
from oodbench.engines.settings import (
    default_batch_size,
    device_type,
    engine_target,
    resolve_device,
)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_there(device: str) -> None:
    with pytest.raises(ConfigError, match=rf"engine\.device={device}: .*use engine\.device=cpu"):
        resolve_device(device)


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Pretends that so many cards are there."""

    def pretend(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr("oodbench.engines.settings._nvidia_device_present", lambda: True)

    return pretend


def test_a_card_beyond_the_last_is_refused_with_those_that_are_there(
    cards: Callable[[int], None],
) -> None:
    cards(1)
    with pytest.raises(ConfigError, match=r"^engine\.device=cuda:7: the one .* here is cuda:0$"):
        resolve_device("cuda:7")
    cards(4)
    with pytest.raises(ConfigError, match=r"^engine\.device=cuda:4: .* are cuda:0 to cuda:3$"):
        resolve_device("cuda:4")


def test_a_driver_that_is_too_old_is_named(
    cards: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def init() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).\nUp")

    cards(0)
    monkeypatch.setattr(torch.cuda, "init", init)
    with pytest.raises(ConfigError) as error:
        resolve_device("cuda")
    assert "no CUDA device (The NVIDIA driver on your system is too old" in str(error.value)
    assert "\n" not in str(error.value)
    assert resolve_device("auto") == "cpu"
    assert "the CPU computes: The NVIDIA driver on your system is too old" in caplog.text


def test_a_card_without_bf16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(ConfigError, match=r"^engine\.precision=bf16: .*use fp16 or fp32$"):
        set_precision("bf16", "cuda")


def test_devices_that_are() -> None:
    assert resolve_device("cpu") == "cpu"
    assert device_type("cuda:1") == "cuda"


def test_plans_ask_without_torch() -> None:
    code = (
        "import sys; from oodbench.core.schema import EngineConfig; "
        "from oodbench.engines import settings; "
        "settings.resolve_device('cpu'); settings.default_batch_size('cpu'); "
        "settings.engine_target(EngineConfig(), attack=True); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_batches_are_small_on_the_cpu() -> None:
    assert default_batch_size("cpu") < default_batch_size("cuda:0")


def test_another_engine_may_stand_in_where_pictures_are_attacked() -> None:
    node = EngineConfig(backend={"_target_": "a.Fast"}, when_attacked={"a.Fast": "a.Plain"})
    assert engine_target(node, attack=False) == "a.Fast"
    assert engine_target(node, attack=True) == "a.Plain"
    node.backend = {"_target_": "a.Other"}
    assert engine_target(node, attack=True) == "a.Other"
