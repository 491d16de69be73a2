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
    ids = {split.name: _identity(split) for split in splits}
    sets = {ids[split.name]: _file_set(run, benchmark, split, ids[split.name]) for split in splits}
    changes = _changes(run, sets)
    sets = {name: replace(files, changed=changes[name]) for name, files in sets.items()}
    found = [
        replace(split, fingerprint=sets[ids[split.name]].fingerprint(split.fingerprint))
        for split in splits
    ]
    _say(run, sets, found)
    return found, {split.name: sets[ids[split.name]] for split in splits}


def _identity(split: Split) -> str:
    """The same for splits of the same files, wherever these are."""
    text = f"{split.made_from or split.name}\0{split.fingerprint}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _file_set(run: RunConfig, benchmark: Benchmark, split: Split, identity: str) -> FileSet:
    places = (pictures_directory(Path(run.output_root)), cache_directory() / "pictures")
    return FileSet(
        folders=[place / identity for place in places],
        root=split.root,
        n_files=split.n_items,
        list_names=partial(_names, benchmark, split),
    )


def _names(benchmark: Benchmark, split: Split) -> Sequence[str]:
    root = split.root
    made_from: Callable[[Path], Path] | None = getattr(benchmark, "file_of", None)
    if made_from is None:
        return [item.image for item in split.list_items()]
    files = (file_of(benchmark, root / item.image) for item in split.list_items())
    return [file.relative_to(root).as_posix() for file in files]


def _changes(run: RunConfig, sets: Mapping[str, FileSet]) -> Changes:
    """What has changed; of many files, what was found a moment ago."""
    folders = {str(place.absolute()) for f in sets.values() for place in (f.root, *f.folders)}
    label = "\0".join([run.data.verify, *sorted(folders)])
    started = time.monotonic()
    until, known = _looked.get(label, (0.0, {}))
    if started < until:
        return known
    n_files = sum(files.n_files for files in sets.values())
    contents = run.data.verify == "contents"
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


def _say(run: RunConfig, sets: dict[str, FileSet], splits: Sequence[Split]) -> None:
    """One line for all that has changed, once in a process."""
    changed = [files for files in sets.values() if files.changed]
    label = "".join(split.fingerprint for split in splits)
    if not changed or label in _said:
        return
    _said.add(label)
    count = sum(len(files.changed) for files in changed)
    first = changed[0]
    name = first.list_names()[min(first.changed)]
    log.warning(
        "%s: %d of %d pictures hold something else than when they were first read, such as %s: the "
        "run has another key",
        *(run.benchmark.name, count, sum(files.n_files for files in sets.values())),
        first.root / name,
    )
