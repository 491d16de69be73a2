"""Tiny pictures in the layouts of the benchmarks, and a cache folder for each test."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakePicture = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Listings are remembered here."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("OODBENCH_CACHE", str(folder))
    return folder


@pytest.fixture
def make_picture() -> MakePicture:
    """Write a small noise picture; the folders are made."""

    def make(path: Path, seed: int = 0, side: int = 8) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
        kind = "PNG" if path.suffix.lower() == ".png" else "JPEG"
        Image.fromarray(pixels).save(path, format=kind)
        return path

    return make


@pytest.fixture
def age() -> Callable[[Path, float], None]:
    """Set the modification time of every folder below one to so many seconds ago."""

    def set_times(root: Path, seconds: float = 60) -> None:
        then = time.time() - seconds
        for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            os.utime(folder, (then, then))

    return set_times
