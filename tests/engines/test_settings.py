"""Devices that are not there, and batch sizes without torch."""

import subprocess
import sys

import pytest

from oodbench.core.errors import ConfigError
from oodbench.core.schema import EngineConfig
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
