"""Splits of pictures that still hold what they held in the runs before, or else another name."""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from oodbench.benchmarks.base import Benchmark, Split, file_of
from oodbench.core.cache import cache_directory
from oodbench.core.schema import RunConfig
from oodbench.data.contents import FileSet
from oodbench.data.listing import listed_anew
from oodbench.runs.paths import pictures_directory

log = logging.getLogger(__name__)

MANY = 100_000
"""Files from which on only a part of them is looked at."""

ANEW_AFTER = 10
"""Times that looking took, after which a process looks again: a sweep spends a tenth of its time on
it at most."""

QUICK = 1000
"""Files; fewer are looked at each time."""

Changes = dict[str, dict[int, bytes]]
"""By file set and position, sha256 of what has changed."""

_looked: dict[str, tuple[float, Changes]] = {}
"""By way of looking, folders of the files and where it is kept what they held: until when it is
taken as it is, and what was found."""

_said: set[str] = set()


def verified(
    run: RunConfig, benchmark: Benchmark, splits: Sequence[Split]
) -> tuple[list[Split], dict[str, FileSet]]:
    """The splits, each with what is known of its files, by name.

    A split of which pictures hold something else than when they were first decoded gets another
    fingerprint; one line names it. With data.verify=sizes nothing is looked at, nor kept.
    """
    if run.data.verify == "sizes":
        return list(splits), {}
    made = _file_sets(run, benchmark, splits)
    if any(_changes(made, run.data.verify).values()):
        with listed_anew():
            splits = benchmark.splits()
        made = _file_sets(run, benchmark, splits)
    sets = looked_at(made, run.data.verify, run.benchmark.name)
    found = [
        replace(split, fingerprint=sets[_identity(split)].fingerprint(split.fingerprint))
        for split in splits
    ]
    return found, {split.name: sets[_identity(split)] for split in splits}


def _file_sets(run: RunConfig, benchmark: Benchmark, splits: Sequence[Split]) -> dict[str, FileSet]:
    return {
        _identity(split): file_set(
            Path(run.output_root),
            _identity(split),
            split.root,
            split.n_items,
            partial(_names, benchmark, split),
        )
        for split in splits
    }


def _identity(split: Split) -> str:
    """The same for splits that are made from the same files."""
    return f"{split.made_from or split.name}\0{split.fingerprint}"


def file_set(
    output_root: Path, name: str, root: Path, n_files: int, list_names: Callable[[], Sequence[str]]
) -> FileSet:
    """Files, and where it is kept what they held.

    Args:
        output_root: of the results that rest on them.
        name: the same for the same listing, wherever the files are.
        root, n_files, list_names: see `FileSet`.
    """
    identity = hashlib.sha256(name.encode()).hexdigest()[:24]
    places = (pictures_directory(output_root), cache_directory() / "pictures")
    return FileSet([place / identity for place in places], root, n_files, list_names)


def looked_at(sets: Mapping[str, FileSet], verify: str, label: str) -> dict[str, FileSet]:
    """The sets with what has changed of their files, which one line says.

    Args:
        sets: by any name.
        verify: times or contents, see `DataConfig.verify`.
        label: what the pictures are, for the line.
    """
    changes = _changes(sets, verify)
    found = {name: replace(files, changed=changes[name]) for name, files in sets.items()}
    _say(found, label)
    return found


def _names(benchmark: Benchmark, split: Split) -> Sequence[str]:
    root = split.root
    made_from: Callable[[Path], Path] | None = getattr(benchmark, "file_of", None)
    if made_from is None:
        return [item.image for item in split.list_items()]
    files = (file_of(benchmark, root / item.image) for item in split.list_items())
    return [file.relative_to(root).as_posix() for file in files]


def _changes(sets: Mapping[str, FileSet], verify: str) -> Changes:
    """What has changed; of many files, what was found a moment ago."""
    folders = {str(place.absolute()) for f in sets.values() for place in (f.root, *f.folders)}
    label = "\0".join([verify, *sorted(folders)])
    started = time.monotonic()
    until, known = _looked.get(label, (0.0, {}))
    if started < until:
        return known
    n_files = sum(files.n_files for files in sets.values())
    contents = verify == "contents"
    everywhere = contents or n_files <= MANY
    found = {
        name: files.look(everywhere=everywhere, contents=contents) for name, files in sets.items()
    }
    if not everywhere and any(found.values()):
        found = {name: files.look(everywhere=True, contents=False) for name, files in sets.items()}
    now = time.monotonic()
    if n_files >= QUICK:
        _looked[label] = (now + ANEW_AFTER * (now - started), found)
    return found


def _say(sets: Mapping[str, FileSet], label: str) -> None:
    """One line for all that has changed, once in a process."""
    changed = [files for files in sets.values() if files.changed]
    state = repr([(files.root, sorted(files.changed.items())) for files in changed])
    if not changed or state in _said:
        return
    _said.add(state)
    count = sum(len(files.changed) for files in changed)
    first = changed[0]
    log.warning(
        "%s: %d of %d pictures hold something else than when they were first read, such as %s: the "
        "run has another key",
        *(label, count, sum(files.n_files for files in sets.values())),
        first.root / first.list_names()[min(first.changed)],
    )
