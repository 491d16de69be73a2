from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or fills the user's own caches."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("OODBENCH_CACHE", str(folder))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch_home"))
    torch.set_num_threads(1)
    return folder
