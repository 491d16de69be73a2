"""Pixels come back as they were put, or not at all."""

import logging
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from oodbench.pixel_cache import GIB, HEADER, MARK, DiskCache, PixelCache, open_cache

IDENTITY = {"dataset": "abc", "transform": {"crop": 8}}
SIDE = 8
SLOT = SIDE * SIDE * 3


def picture(position: int, side: int = SIDE) -> NDArray[np.uint8]:
    return np.random.default_rng(position).integers(0, 256, (1, side, side, 3), np.uint8)


def cache(
    directory: Path,
    kind: str = "disk",
    *,
    identity: dict[str, Any] = IDENTITY,
    split: str = "",
    n_items: int = 10,
    limit: int = GIB,
) -> PixelCache:
    return open_cache(kind, directory, limit / GIB, identity, split, n_items, n_items)


def the_file(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_what_was_put_comes_back_in_the_next_run(tmp_path: Path, kind: str) -> None:
    identity = IDENTITY | {"test": str(tmp_path)}  # memory is shared by the tests of a process
    first = cache(tmp_path, kind, identity=identity)
    assert first.get(3) is None
    for position in (3, 0, 9):
        first.put(position, picture(position))
    first.close()
    second = cache(tmp_path, kind, identity=identity)
    for position in (0, 3, 9):
        found = second.get(position)
        assert found is not None
        np.testing.assert_array_equal(found, picture(position))
    assert second.get(1) is None
    for other in (
        cache(tmp_path, kind, identity=identity | {"transform": {"crop": 9}}),
        cache(tmp_path, kind, identity=identity, split="fog/3"),
        cache(tmp_path, kind, identity=identity, n_items=11),
    ):
        assert other.get(3) is None


def test_off_keeps_nothing(tmp_path: Path) -> None:
    kept = cache(tmp_path, "off")
    kept.put(0, picture(0))
    assert kept.get(0) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_clips_are_not_kept(tmp_path: Path, kind: str) -> None:
    kept = cache(tmp_path, kind, split="clips")
    kept.put(0, np.concatenate([picture(0), picture(1)]))
    assert kept.get(0) is None


def test_a_picture_of_another_size_is_not_kept(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    kept.put(0, picture(0))
    kept.put(1, picture(1, side=9))
    assert kept.get(1) is None
    assert kept.get(0) is not None


@pytest.mark.parametrize("offset", [0, 100, SLOT - 1])
def test_a_damaged_slot_is_no_hit_and_is_filled_again(tmp_path: Path, offset: int) -> None:
    kept = cache(tmp_path)
    kept.put(2, picture(2))
    with the_file(tmp_path).open("r+b") as file:
        file.seek(HEADER + MARK.size * 10 + SLOT * 2 + offset)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    assert kept.get(2) is None
    kept.put(2, picture(2))
    assert kept.get(2) is not None


def test_a_put_that_is_killed_before_its_mark_is_no_hit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = cache(tmp_path)
    kept.put(0, picture(0))
    write = os.pwrite

    def killed(file: int, content: bytes, offset: int) -> int:
        if len(content) == MARK.size:
            raise KeyboardInterrupt
        return write(file, content, offset)

    monkeypatch.setattr(os, "pwrite", killed)
    with pytest.raises(KeyboardInterrupt):
        kept.put(1, picture(1))
    monkeypatch.undo()
    assert cache(tmp_path).get(1) is None
    assert cache(tmp_path).get(0) is not None


@pytest.mark.parametrize("length", [0, 10, HEADER, HEADER + 50])
def test_a_truncated_file_is_made_anew(tmp_path: Path, length: int) -> None:
    cache(tmp_path).put(1, picture(1))
    os.truncate(the_file(tmp_path), length)
    again = cache(tmp_path)
    assert again.get(1) is None
    again.put(1, picture(1))
    found = cache(tmp_path).get(1)
    assert found is not None
    np.testing.assert_array_equal(found, picture(1))


def test_a_damaged_header_is_not_believed(tmp_path: Path) -> None:
    cache(tmp_path).put(1, picture(1))
    with the_file(tmp_path).open("r+b") as file:
        file.write(b'{"shape": [16, 4, 3], "sha256": "0"}')
    assert cache(tmp_path).get(1) is None
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = cache(tmp_path)
    kept.put(0, picture(0))

    def full(file: int, content: bytes, offset: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with caplog.at_level(logging.WARNING):
        kept.put(1, picture(1))
        kept.put(2, picture(2))
    assert kept.get(0) is not None
    assert kept.get(1) is None
    (message,) = caplog.messages
    assert "No space left on device" in message


def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    kept = cache(tmp_path / "file" / "below")
    kept.put(0, picture(0))
    assert kept.get(0) is None
    assert len(caplog.messages) == 1


def test_what_was_used_longest_ago_goes_first_but_nothing_in_use(tmp_path: Path) -> None:
    kept = {}
    for age, name in enumerate("abc"):
        used = cache(tmp_path, split=name, n_items=100)
        for position in range(100):
            used.put(position, picture(position))
        (new,) = set(tmp_path.iterdir()) - set(kept)
        kept[new] = name
        os.utime(new, (time.time() - 100 + age,) * 2)
        used.close()
    del used
    in_use = cache(tmp_path, split="a", n_items=100)
    for path, name in kept.items():
        if name == "a":
            os.utime(path, (0, 0))
    taken = sum(path.stat().st_blocks for path in kept) * 512
    cache(tmp_path, split="d", n_items=100, limit=taken).put(0, picture(0))
    left = {kept.get(path, "d") for path in tmp_path.iterdir()}
    assert left == {"a", "c", "d"}
    assert in_use.get(5) is not None


def test_too_large_a_split_is_not_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = cache(tmp_path, n_items=1000, limit=100_000)
    kept.put(0, picture(0))
    kept.put(1, picture(1))
    assert kept.get(0) is None
    (message,) = caplog.messages
    assert "data.cache_gib" in message


def test_memory_has_a_limit(tmp_path: Path) -> None:
    def of(split: str) -> PixelCache:
        return cache(tmp_path, "memory", split=split, limit=5 * SLOT)

    first, second = of("memory 1"), of("memory 2")
    for position in range(3):
        first.put(position, picture(position))
    for position in range(3):
        second.put(position, picture(position))
    assert first.get(0) is None
    assert second.get(2) is not None
    for position in range(10):
        second.put(position, picture(position))
    assert second.get(9) is None
    assert second.get(0) is not None


def fill(directory: Path, start: int) -> None:
    kept = DiskCache(directory, "both", 200, 200, GIB)
    for position in range(start, start + 120):
        kept.put(position % 200, picture(position % 200))


def test_two_processes_fill_one_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=fill, args=(tmp_path, start)) for start in (0, 100)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    kept = DiskCache(tmp_path, "both", 200, 200, GIB)
    for position in range(200):
        found = kept.get(position)
        assert found is not None
        np.testing.assert_array_equal(found, picture(position))
    assert len(list(tmp_path.iterdir())) == 1
