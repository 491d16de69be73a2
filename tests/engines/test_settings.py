"""Devices that are not there, and batch sizes without torch."""

import subprocess
import sys

import pytest

from oodbench.core.errors import ConfigError
from oodbench.engines.settings import default_batch_size, device_type, resolve_device


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_there(device: str) -> None:
    with pytest.raises(ConfigError, match=rf"engine\.device={device}: .*use engine\.device=cpu"):
        resolve_device(device)


def test_devices_that_are() -> None:
    assert resolve_device("cpu") == "cpu"
    assert device_type("cuda:1") == "cuda"


def test_plans_ask_without_torch() -> None:
    code = (
        "import sys; from oodbench.engines import batch_size, devices, names; "
        "devices.resolve_device('cpu'); batch_size.default_batch_size('cpu'); "
        "names.engine_target({}, attack=True); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_batches_are_small_on_the_cpu() -> None:
    assert default_batch_size("cpu") < default_batch_size("cuda:0")
