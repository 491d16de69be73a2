"""Pixels come back as they were put, or not at all."""

import fcntl
import logging
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from oodbench.core.files import GIB
from oodbench.data.read_files import NO_FILE, FileState
from oodbench.evaluation import pixel_cache
from oodbench.evaluation.pixel_cache import (
    HEADER,
    MARK,
    PIXELS_SUFFIX,
    DiskCache,
    Known,
    MemoryCache,
    MemoryStore,
    PixelCache,
    open_cache,
)

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
    n_planned: int | None = None,
    limit: int = GIB,
) -> PixelCache:
    planned = n_items if n_planned is None else n_planned
    return open_cache(kind, directory, limit / GIB, identity, split, n_items, planned)


def taken(directory: Path) -> int:
    """Bytes on the disk."""
    return sum(path.stat().st_blocks for path in names(directory)) * 512


def the_file(directory: Path) -> Path:
    (path,) = directory.glob(f"*{PIXELS_SUFFIX}")
    return path


def names(directory: Path) -> set[Path]:
    return set(directory.glob(f"*{PIXELS_SUFFIX}"))


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_what_was_put_comes_back_in_the_next_run(tmp_path: Path, kind: str) -> None:
    identity = IDENTITY | {"test": str(tmp_path)}  # memory is shared by the tests of a process
    first = cache(tmp_path, kind, identity=identity)
    assert first.get(3) is None
    for position in (3, 0, 9):
        first.put(position, Known(picture(position)))
    first.close()
    second = cache(tmp_path, kind, identity=identity)
    for position in (0, 3, 9):
        found = second.get(position)
        assert found is not None
        np.testing.assert_array_equal(found.pixels, picture(position))
    assert second.get(1) is None
    for other in (
        cache(tmp_path, kind, identity=identity | {"transform": {"crop": 9}}),
        cache(tmp_path, kind, identity=identity, split="fog/3"),
        cache(tmp_path, kind, identity=identity, n_items=11),
    ):
        assert other.get(3) is None


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_pixels_of_a_file_that_has_changed_since_are_no_hit(tmp_path: Path, kind: str) -> None:
    identity = IDENTITY | {"changed": str(tmp_path)}
    kept = cache(tmp_path, kind, identity=identity)
    before, later, longer = FileState(5, 100), FileState(6, 100), FileState(5, 101)
    sha256 = bytes(range(32))
    kept.put(1, Known(picture(1), before, sha256))
    kept.put(2, Known(picture(2), before))
    for state in (later, longer, NO_FILE):
        assert kept.get(1, state) is None
    found = kept.get(1, before)
    assert found is not None
    assert found[1:] == (before, sha256)
    assert kept.get(2, before) is not None
    kept.put(1, Known(picture(7), later, sha256[::-1]))
    again = cache(tmp_path, kind, identity=identity)
    assert again.get(1, before) is None
    found = again.get(1, later)
    assert found is not None
    assert found.sha256 == sha256[::-1]
    np.testing.assert_array_equal(found.pixels, picture(7))
    assert again.get(2, before) is not None


def test_off_keeps_nothing(tmp_path: Path) -> None:
    kept = cache(tmp_path, "off")
    kept.put(0, Known(picture(0)))
    assert kept.get(0) is None
    assert not list(tmp_path.iterdir())


@pytest.fixture(autouse=True)
def nothing_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning is given once in a process: each test is as a process of its own."""
    monkeypatch.setattr(pixel_cache, "_warned", set())


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_clips_are_not_kept(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    kept = cache(tmp_path, kind, split="clips")
    for position in range(2):
        kept.put(position, Known(np.concatenate([picture(0), picture(1)])))
        assert kept.get(position) is None
    assert caplog.messages == ["data.cache: clips are not kept"]


def test_a_picture_of_another_size_is_not_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = cache(tmp_path)
    kept.put(0, Known(picture(0)))
    for position in (1, 2):
        kept.put(position, Known(picture(position, side=9)))
        assert kept.get(position) is None
    assert kept.get(0) is not None
    (message,) = caplog.messages
    assert "one size" in message


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """Killed between making the file and giving it its name; other files stay."""
    left, other = tmp_path / f".abc{PIXELS_SUFFIX}.x1.part", tmp_path / ".other.part"
    left.touch()
    other.touch()
    cache(tmp_path).put(0, Known(picture(0)))
    assert not left.exists()
    assert other.exists()


@pytest.mark.parametrize("offset", [0, 100, SLOT - 1])
def test_a_damaged_slot_is_no_hit_and_is_filled_again(tmp_path: Path, offset: int) -> None:
    kept = cache(tmp_path)
    kept.put(2, Known(picture(2)))
    with the_file(tmp_path).open("r+b") as file:
        file.seek(HEADER + MARK.size * 10 + SLOT * 2 + offset)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    assert kept.get(2) is None
    kept.put(2, Known(picture(2)))
    assert kept.get(2) is not None


def test_slots_that_were_swapped_with_their_marks_are_no_hits(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    for position in range(3):
        kept.put(position, Known(picture(position)))
    content = bytearray(the_file(tmp_path).read_bytes())
    for start, size in ((HEADER, MARK.size), (HEADER + MARK.size * 10, SLOT)):
        first, second = (slice(start + k * size, start + (k + 1) * size) for k in (0, 2))
        content[first], content[second] = content[second], content[first]
    the_file(tmp_path).write_bytes(bytes(content))
    again = cache(tmp_path)
    assert [again.get(position) is not None for position in range(3)] == [False, True, False]
    again.put(0, Known(picture(0)))
    found = again.get(0)
    assert found is not None
    np.testing.assert_array_equal(found.pixels, picture(0))


def test_a_file_of_an_earlier_format_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_cache, "FORMAT", 1)
    cache(tmp_path).put(1, Known(picture(1)))
    monkeypatch.undo()
    again = cache(tmp_path)
    assert again.get(1) is None
    again.put(1, Known(picture(1)))
    assert cache(tmp_path).get(1) is not None


def test_a_put_that_is_killed_before_its_mark_is_no_hit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = cache(tmp_path)
    kept.put(0, Known(picture(0)))
    write = os.pwrite

    def killed(file: int, content: bytes, offset: int) -> int:
        if len(content) == MARK.size:
            raise KeyboardInterrupt
        return write(file, content, offset)

    monkeypatch.setattr(os, "pwrite", killed)
    with pytest.raises(KeyboardInterrupt):
        kept.put(1, Known(picture(1)))
    monkeypatch.undo()
    assert cache(tmp_path).get(1) is None
    assert cache(tmp_path).get(0) is not None


@pytest.mark.parametrize("length", [0, 10, HEADER, HEADER + 50])
def test_a_truncated_file_is_made_anew(tmp_path: Path, length: int) -> None:
    cache(tmp_path).put(1, Known(picture(1)))
    os.truncate(the_file(tmp_path), length)
    again = cache(tmp_path)
    assert again.get(1) is None
    again.put(1, Known(picture(1)))
    found = cache(tmp_path).get(1)
    assert found is not None
    np.testing.assert_array_equal(found.pixels, picture(1))


@pytest.mark.parametrize(
    ("old", "new"), [(b"[8, 8, 3]", b"[4, 16, 3]"), (b'"sha256": "', b'"sha256": "0'), (b"{", b"[")]
)
def test_a_damaged_header_is_not_believed(tmp_path: Path, old: bytes, new: bytes) -> None:
    cache(tmp_path).put(1, Known(picture(1)))
    content = the_file(tmp_path).read_bytes()
    assert old in content[:HEADER]
    header = content[:HEADER].replace(old, new)[:HEADER].ljust(HEADER)
    the_file(tmp_path).write_bytes(header + content[HEADER:])
    again = cache(tmp_path)
    assert again.get(1) is None
    assert not names(tmp_path)
    again.put(1, Known(picture(1)))
    assert again.get(1) is not None


def test_a_full_disk_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = cache(tmp_path)
    kept.put(0, Known(picture(0)))

    def full(file: int, content: bytes, offset: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with caplog.at_level(logging.WARNING):
        kept.put(1, Known(picture(1)))
        kept.put(2, Known(picture(2)))
    assert kept.get(0) is not None
    assert kept.get(1) is None
    (message,) = caplog.messages
    assert "No space left on device" in message


def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    kept = cache(tmp_path / "file" / "below")
    kept.put(0, Known(picture(0)))
    assert kept.get(0) is None
    assert len(caplog.messages) == 1


def test_what_was_used_longest_ago_goes_first_but_nothing_in_use(tmp_path: Path) -> None:
    kept: dict[Path, str] = {}
    for age, name in enumerate("abc"):
        used = cache(tmp_path, split=name, n_items=100)
        for position in range(100):
            used.put(position, Known(picture(position)))
        (new,) = names(tmp_path) - set(kept)
        kept[new] = name
        os.utime(new, (time.time() - 100 + age,) * 2)
        used.close()
    del used
    in_use = cache(tmp_path, split="a", n_items=100)
    for path, name in kept.items():
        if name == "a":
            os.utime(path, (0, 0))
    limit = sum(path.stat().st_size for path in kept)
    cache(tmp_path, split="d", n_items=100, limit=limit).put(0, Known(picture(0)))
    left = {kept.get(path, "d") for path in names(tmp_path)}
    assert left == {"a", "c", "d"}
    assert in_use.get(5) is not None


def test_too_large_a_split_is_not_kept_and_nothing_goes_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small = cache(tmp_path, split="small", limit=100_000)
    small.put(0, Known(picture(0)))
    small.close()
    for split in ("large 1", "large 2"):
        kept = cache(tmp_path, split=split, n_items=1000, limit=100_000)
        kept.put(0, Known(picture(0)))
        kept.put(1, Known(picture(1)))
        assert kept.get(0) is None
    (message,) = caplog.messages
    assert "data.cache_gib" in message
    assert cache(tmp_path, split="small").get(0) is not None


def test_a_file_is_lengthened_within_the_limit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A run of 20 pictures, then one of 100, then of 1000 for which there is no room."""
    limit = HEADER + 1000 * MARK.size + 120 * SLOT
    for planned, kept_up_to in ((20, 20), (100, 100), (1000, 100)):
        kept = cache(tmp_path, n_items=1000, n_planned=planned, limit=limit)
        for position in range(planned):
            kept.put(position, Known(picture(position)))
        kept.close()
        again = cache(tmp_path, n_items=1000, n_planned=planned, limit=limit)
        for position in range(kept_up_to):
            found = again.get(position)
            assert found is not None
            np.testing.assert_array_equal(found.pixels, picture(position))
        assert again.get(kept_up_to) is None
        assert the_file(tmp_path).stat().st_size <= limit
    (message,) = caplog.messages
    assert "data.cache_gib" in message


def test_files_that_are_being_filled_count_in_full(tmp_path: Path) -> None:
    limit = 150 * SIDE * SLOT
    first, second = (cache(tmp_path, split=name, n_items=100, limit=limit) for name in "ab")
    for position in range(100):
        first.put(position, Known(picture(position, side=3 * SIDE)))
        second.put(position, Known(picture(position, side=3 * SIDE)))
    assert first.get(99) is not None
    assert second.get(0) is None
    assert taken(tmp_path) <= limit


def test_a_file_system_without_locks_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache(tmp_path).put(0, Known(picture(0)))

    def refused(file: object, operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    kept = cache(tmp_path)
    kept.put(1, Known(picture(1)))
    assert kept.get(1) is None
    assert len(caplog.messages) == 1


def store(n_slots: int) -> Callable[[str], MemoryCache]:
    """A store of its own, with room for so many pictures."""
    made = MemoryStore()
    return lambda split: made.of(split, n_slots * SLOT)


def test_memory_has_a_limit(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    of = store(5)
    first = of("first")
    for position in range(3):
        first.put(position, Known(picture(position)))
    first.close()
    second = of("second")
    for position in range(3):
        second.put(position, Known(picture(position)))
    assert first.get(0) is None
    assert second.get(2) is not None
    for position in range(10):
        second.put(position, Known(picture(position)))
    assert second.get(4) is not None
    assert second.get(5) is None
    assert len(caplog.messages) == 1


def test_memory_in_use_stays() -> None:
    """As in ImageNet-C: the first splits of a run stay for the next model, the last have no room.

    Splits that come round and round would else push each other out before they are used again.
    """
    of = store(4)
    opened = [of(split) for split in "abc"]
    for split in opened:
        for position in range(2):
            split.put(position, Known(picture(position)))
    assert [split.get(1) is not None for split in opened] == [True, True, False]
    for split in opened:
        split.close()
    assert of("a").get(1) is not None


def test_memory_counts_a_picture_once() -> None:
    """Two runs may decode the same picture at the same time."""
    of = store(2)
    for kept in (of("a"), of("a")):
        kept.put(0, Known(picture(0)))
    kept.put(1, Known(picture(1)))
    assert kept.get(1) is not None


def test_memory_takes_half_of_the_machine_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_cache, "_half_of_memory", lambda: SLOT)
    monkeypatch.setattr(pixel_cache, "_MEMORY", MemoryStore())
    kept = cache(tmp_path, "memory", split="half")
    kept.put(0, Known(picture(0)))
    kept.put(1, Known(picture(1)))
    assert [kept.get(position) is not None for position in (0, 1)] == [True, False]


def fill(directory: Path, start: int) -> None:
    kept = DiskCache(directory, "both", 200, 200, GIB)
    for position in range(start, start + 120):
        kept.put(position % 200, Known(picture(position % 200)))


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
        np.testing.assert_array_equal(found.pixels, picture(position))
    assert len(names(tmp_path)) == 1


def test_a_process_that_is_killed_leaves_whole_pictures_or_none(tmp_path: Path) -> None:
    """Killed while it writes pictures of a megabyte; what is there afterwards is right."""
    context = multiprocessing.get_context("spawn")
    pictures = [picture(position, side=600) for position in range(4)]
    for number in range(4):
        directory = tmp_path / str(number)
        process = context.Process(target=fill_large, args=(directory,))
        process.start()
        while process.is_alive() and not names(directory):
            time.sleep(0.001)
        time.sleep(0.004 * number)
        process.kill()
        process.join()
        kept = DiskCache(directory, "killed", 100, 100, GIB)
        for position in range(100):
            found = kept.get(position)
            if found is not None:
                np.testing.assert_array_equal(found.pixels, pictures[position % 4])
        kept.put(99, Known(pictures[3]))
        assert kept.get(99) is not None
        assert len(names(directory)) == 1


def fill_large(directory: Path) -> None:
    pictures = [picture(position, side=600) for position in range(4)]
    kept = DiskCache(directory, "killed", 100, 100, GIB)
    for position in range(99):
        kept.put(position, Known(pictures[position % 4]))


def test_threads_see_whole_pictures(tmp_path: Path) -> None:
    pictures = [picture(position) for position in range(50)]
    kept = cache(tmp_path, n_items=50)

    def work(number: int) -> None:
        for position in range(50):
            found = kept.get((position + 7 * number) % 50)
            if found is None:
                kept.put(
                    (position + 7 * number) % 50, Known(pictures[(position + 7 * number) % 50])
                )
            else:
                np.testing.assert_array_equal(found.pixels, pictures[(position + 7 * number) % 50])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    assert all(kept.get(position) is not None for position in range(50))
