"""What is known of the files that pictures are decoded from."""

import hashlib
import os
from pathlib import Path

from oodbench.data.read_files import (
    NO_FILE,
    FileState,
    ReadFile,
    file_state,
    files_read,
    name_read,
    read_file,
)


def test_a_file_is_named_with_time_size_and_hash(tmp_path: Path) -> None:
    file = tmp_path / "a.JPEG"
    file.write_bytes(b"abc")
    os.utime(file, ns=(1, 1_700_000_000_000_000_001))
    expected = FileState(1_700_000_000_000_000_001, 3)
    assert file_state(file) == expected
    with files_read() as outer:
        assert read_file(file) == b"abc"
        with files_read() as inner:
            read_file(file)
        name_read(ReadFile(tmp_path, NO_FILE, b""))
    assert inner == [ReadFile(file, expected, hashlib.sha256(b"abc").digest())]
    assert outer == [*inner, ReadFile(tmp_path, NO_FILE, b"")]
    assert read_file(file) == b"abc"
    assert len(outer) == 2


def test_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert file_state(tmp_path / "a.JPEG") == NO_FILE
