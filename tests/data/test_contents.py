"""Which files hold something else than they did at first, and which are looked at."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from oodbench.core.errors import DataError
from oodbench.data import contents
from oodbench.data.contents import FileSet
from oodbench.data.read_files import Decoded

NAMES = [f"{name}.JPEG" for name in "abcdefgh"]


@pytest.fixture
def files(tmp_path: Path) -> FileSet:
    """Eight files, of which nothing is known."""
    (tmp_path / "data").mkdir()
    for name in NAMES:
        (tmp_path / "data" / name).write_text(name)
    return of(tmp_path, "data")


def of(folder: Path, data: str, n_names: list[int] | None = None) -> FileSet:
    def names() -> Sequence[str]:
        if n_names is not None:
            n_names.append(len(NAMES))
        return NAMES

    return FileSet([folder / "results", folder / "cache"], folder / data, len(NAMES), names)


def decoded(files: FileSet, *positions: int) -> dict[int, Decoded]:
    found = {}
    for position in positions:
        path = files.root / NAMES[position]
        digest = hashlib.sha256(path.read_bytes()).digest()
        found[position] = Decoded(path.stat().st_mtime_ns, path.stat().st_size, digest)
    return found


def change(files: FileSet, position: int) -> bytes:
    """Write something else; its sha256."""
    path = files.root / NAMES[position]
    time = path.stat().st_mtime_ns
    path.write_text(path.read_text()[::-1])
    os.utime(path, ns=(time, time + 1))
    return hashlib.sha256(path.read_bytes()).digest()


def look(files: FileSet, *, everywhere: bool = True, contents: bool = False) -> dict[int, bytes]:
    return files.look(everywhere=everywhere, contents=contents)


def test_only_what_was_decoded_is_looked_at(files: FileSet) -> None:
    assert look(files) == {}
    files.keep(decoded(files, 0, 1, 5))
    assert look(files) == {}
    digests = {position: change(files, position) for position in (1, 2, 5)}
    expected = {1: digests[1], 5: digests[5]}
    assert look(files) == expected
    assert look(files) == expected


def test_a_fingerprint_says_what_has_changed_whatever_the_folder(
    files: FileSet, tmp_path: Path
) -> None:
    digest = hashlib.sha256(b"other").digest()
    changed = replace(files, changed={2: digest, 1: digest})
    text = f"base\nb.JPEG\0{digest.hex()}\nc.JPEG\0{digest.hex()}"
    assert changed.fingerprint("base") == hashlib.sha256(text.encode()).hexdigest()
    assert replace(changed, root=tmp_path).fingerprint("base") == changed.fingerprint("base")
    assert files.fingerprint("base") == "base"


def test_what_differs_from_what_the_key_says_is_refused(files: FileSet) -> None:
    files.keep(decoded(files, *range(8)))
    digest = change(files, 3)
    with pytest.raises(DataError, match=r"d.JPEG: holds another picture than when it was last"):
        files.keep(decoded(files, 2, 3, 4))
    replace(files, changed={3: digest}).keep(decoded(files, 2, 3, 4))
    change(files, 3)  # as it was at first, which that run's key does not say
    with pytest.raises(DataError, match=r"d.JPEG: holds another"):
        replace(files, changed={3: digest}).keep(decoded(files, 3))
    files.keep(decoded(files, 3))


def test_either_place_is_enough_and_fills_the_other(files: FileSet, tmp_path: Path) -> None:
    files.keep(decoded(files, 0, 1))
    for gone in ("results", "cache"):
        (tmp_path / gone).rename(tmp_path / f"aside-{gone}")
        digest = change(files, 0)
        assert look(files) == {0: digest}
        replace(files, changed={0: digest}).keep(decoded(files, 0, 1))
        alone = replace(files, folders=[tmp_path / gone] * 2)
        assert look(alone) == {0: digest}, gone  # what was there at first, not what is now
        change(files, 0)
        assert look(files) == {}


def test_names_are_listed_once(files: FileSet, tmp_path: Path) -> None:
    files.keep(decoded(files, *range(8)))
    listed: list[int] = []
    for _ in range(3):
        assert look(of(tmp_path, "data", listed)) == {}
    assert len(listed) == 1


def test_a_place_that_cannot_be_written_is_no_error(files: FileSet, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    files.keep(decoded(files, 0))
    digest = change(files, 0)
    assert look(files) == {0: digest}
    (tmp_path / "results").rename(tmp_path / "aside")
    (tmp_path / "results").write_text("")
    files.keep(decoded(files, 0))
    assert look(files) == {}


def test_a_file_that_is_gone_is_left_to_the_run(files: FileSet) -> None:
    files.keep(decoded(files, 0, 1))
    (files.root / NAMES[0]).unlink()
    digest = change(files, 1)
    assert look(files) == {1: digest}


def test_one_in_a_hundred(monkeypatch: pytest.MonkeyPatch, files: FileSet) -> None:
    assert list(contents._sample(25_000)) == [(0, 100), (10_000, 10_100), (20_000, 20_100)]
    assert list(contents._sample(20_001))[-1] == (20_000, 20_001)
    monkeypatch.setattr(contents, "BLOCK", 2)
    monkeypatch.setattr(contents, "ONE_IN", 3)
    files.keep(decoded(files, *range(8)))
    digests = {position: change(files, position) for position in range(8)}
    assert look(files, everywhere=False) == {p: digests[p] for p in (0, 1, 6, 7)}
    assert look(files) == digests
