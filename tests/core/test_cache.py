"""What is remembered of a file is forgotten when it may be another one."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from oodbench.core.cache import cached_json, remembered_digest


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("how", ["in place", "by another file"])
def test_other_bytes_of_the_same_size_and_time_are_hashed_again(tmp_path: Path, how: str) -> None:
    """As damage leaves them, or a copy that keeps its times."""
    path = tmp_path / "weights.pth"
    path.write_bytes(b"sound")
    before = path.stat()
    assert remembered_digest(path, "sha256") == sha256(b"sound")
    if how == "in place":
        path.write_bytes(b"wrong")
    else:
        (tmp_path / "other").write_bytes(b"wrong")
        (tmp_path / "other").replace(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (5, before.st_mtime_ns)
    assert remembered_digest(path, "sha256") == sha256(b"wrong")


def test_the_same_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"sound")
    expected = remembered_digest(path, "sha256")
    monkeypatch.setattr("oodbench.core.cache.digest", None)
    assert remembered_digest(path, "sha256") == expected


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"0.875") + 2] ^= 1
    path.write_bytes(content)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "note").touch()


@pytest.mark.parametrize(
    "damage",
    [
        _flipped,
        _folder,
        *(
            lambda path, text=text: path.write_text(text)
            for text in ("{}", "[]", "5", '{"content": {"crop_pct": 0.5}}', '{"content"', "")
        ),
    ],
)
def test_what_is_damaged_is_made_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "fact.json"
    assert cached_json(path, lambda: {"crop_pct": 0.875}) == {"crop_pct": 0.875}
    assert cached_json(path, dict) == {"crop_pct": 0.875}
    damage(path)
    assert cached_json(path, lambda: {"crop_pct": 0.875}) == {"crop_pct": 0.875}
