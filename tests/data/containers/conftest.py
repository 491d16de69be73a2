"""Tests of containers begin with none known, as a process does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from toys import write_pictures

from oodbench.data.containers.opened import forget


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("OODBENCH_CACHE", str(tmp_path / "cache"))
    forget()
    yield
    forget()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five class folders of four pictures."""
    write_pictures(tmp_path / "val", per_class=4)
    return tmp_path / "val"
