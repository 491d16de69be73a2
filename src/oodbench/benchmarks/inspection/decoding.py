"""Every file of a split decoded, several at once; what was sound is remembered."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

from oodbench.benchmarks.base import Benchmark, Split, file_of
from oodbench.benchmarks.inspection.finding import Problem
from oodbench.benchmarks.inspection.sound_files import SoundFile, SoundFiles
from oodbench.core.errors import DataError, failure_line
from oodbench.data.manifest import CHECKSUMS
from oodbench.data.read_files import NO_FILE, file_state, files_read

_BLOCK = 256
"""Files after which it is written down which were sound: what Ctrl-C can lose at most."""

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


class _Task(NamedTuple):
    """A file, the path that the benchmark knows it by, and the sha256 that it should have."""

    path: Path
    file: Path
    sha256: str


class _Looked(NamedTuple):
    """What is wrong with a file, "" for nothing; what is remembered of it, None for nothing."""

    wrong: str
    sound: SoundFile | None = None


def damaged_files(
    benchmark: Benchmark,
    split: Split,
    size: Sequence[int] | None,
    workers: int,
    advance: Callable[[int], None],
) -> Iterator[Problem]:
    """Files that cannot be decoded, have another size than all should, or another checksum.

    Files that were sound before, by path, size and time, are not decoded again.

    Args:
        benchmark: decodes.
        split: its files.
        size: height and width that every picture should have; None: any.
        workers: files that are decoded at once.
        advance: called with the number of files that were looked at.
    """
    paths = sorted(split.root / item.image for item in split.list_items())
    known = SoundFiles(split.root, split.name, size)

    def look(task: _Task) -> _Looked:
        return _look(benchmark, size, task, known)

    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(paths), _BLOCK):
            tasks = [_task(benchmark, path) for path in paths[start : start + _BLOCK]]
            looked = list(pool.map(look, tasks))
            known.add([one.sound for one in looked if one.sound is not None])
            for task, one in zip(tasks, looked, strict=True):
                if one.wrong:
                    yield Problem(str(task.file), one.wrong, "get or make the file again")
            advance(len(tasks))


def _task(benchmark: Benchmark, path: Path) -> _Task:
    file = file_of(benchmark, path)
    return _Task(path, file, _checksums(file.parents[1]).get(f"{file.parent.name}/{file.name}", ""))


def _look(
    benchmark: Benchmark, size: Sequence[int] | None, task: _Task, known: SoundFiles
) -> _Looked:
    state = file_state(task.file)
    sound = SoundFile(os.fspath(task.path), state, task.sha256)
    if sound in known:
        return _Looked("")
    with files_read() as read:
        try:
            pictures = benchmark.load(task.path)
        except (DataError, OSError) as error:
            said = str(error) if isinstance(error, DataError) else failure_line(error)
            return _Looked(said.removeprefix(f"{task.file}: "))
    sizes = {(picture.height, picture.width) for picture in pictures}
    if size is not None and sizes != {tuple(size)}:
        found = ", ".join(f"{height}x{width}" for height, width in sorted(sizes))
        return _Looked(f"{found} pixels (height x width) instead of {size[0]}x{size[1]}")
    sums = [one.sha256.hex() for one in read if one.path == task.file]
    if task.sha256 and sums and task.sha256 not in sums:
        return _Looked(f"its sha256 is not that of {CHECKSUMS}")
    return _Looked("", None if state == NO_FILE else sound)


@cache
def _checksums(folder: Path) -> dict[str, str]:
    """By file below a folder, the checksums that stand there; none where there is no such file."""
    try:
        lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {found[2]: found[1] for line in lines if (found := _LINE.fullmatch(line))}
