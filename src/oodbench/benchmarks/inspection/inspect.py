"""A benchmark's data: where they have to be, how many there are, and what is wrong with them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from oodbench.benchmarks.base import Benchmark, Item, Split
from oodbench.benchmarks.inspection.counts import count_problems
from oodbench.benchmarks.inspection.decoding import damaged_files
from oodbench.benchmarks.inspection.file_names import name_problems
from oodbench.benchmarks.inspection.finding import Inspection, Problem
from oodbench.benchmarks.inspection.folders import folder_problems
from oodbench.benchmarks.inspection.labels import wrong_labels
from oodbench.benchmarks.inspection.layout import layout_problem
from oodbench.benchmarks.inspection.mending import Mending, mending
from oodbench.benchmarks.inspection.wording import counted, listed
from oodbench.core.building import build
from oodbench.core.errors import DataError
from oodbench.core.progress import Progress
from oodbench.core.schema import BenchmarkConfig
from oodbench.data.entries import folder_exists
from oodbench.data.manifest import DEMO_MARK
from oodbench.data.sets.facts import Checks, DataSet, data_sets
from oodbench.reference import class_lists, known_names

_PARTS_NAMED = 20


@dataclass(frozen=True)
class Depth:
    """How closely files are looked at.

    Attributes:
        names: names, counts and labels; without, only how many files there are.
        decode: decode all of them too.
        workers: files that are decoded at once.
    """

    names: bool = True
    decode: bool = False
    workers: int = 1


def inspect(config: BenchmarkConfig, data_root: Path, depth: Depth) -> Inspection:
    """Look at the data of a benchmark.

    Args:
        config: of the benchmark, resolved.
        data_root: that its folder is below, for the commands that mend.
        depth: how closely.

    Raises:
        ConfigError: the protocol cannot be built.
    """
    root = Path(config.root)
    data_set = data_sets().get(config.dataset or "")
    benchmark: Benchmark = build(config.protocol, "benchmark.protocol")
    mend = mending(config.name, root, data_set, data_root)
    if not root.exists() and not folder_exists(root):
        return Inspection(config.name, str(root), there=False, n_expected=_n_files(data_set))
    demo = any((place / DEMO_MARK).is_file() for place in (root, *root.parents[:2]))
    try:
        splits, missing = benchmark.splits(), benchmark.missing_splits()
    except DataError as error:
        problem = layout_problem(root, error, mend)
        return Inspection(config.name, str(root), there=True, demo=demo, problems=[problem])
    problems = [] if demo else [*_missing(root, splits, missing, mend.anew)]
    looker = _Looker(benchmark, data_set, depth, mend, demo)
    looked_at = of_own_files(splits)
    with Progress(_n_items(looked_at) * depth.decode, config.name, "file") as progress:
        for split in looked_at:
            problems += looker.problems(split, progress.advance)
    known = all(split.is_count_known for split in splits)
    return Inspection(
        benchmark=config.name,
        root=str(root),
        there=True,
        demo=demo,
        n_files=_n_items([split for split in splits if split.official]),
        n_expected=_expected(splits, missing) if known else None,
        missing=missing,
        problems=problems,
        deep=depth.decode,
    )


@dataclass(frozen=True)
class _Looker:
    """Looks at one split after the other; see `inspect`."""

    benchmark: Benchmark
    data_set: DataSet | None
    depth: Depth
    mend: Mending
    demo: bool

    def problems(self, split: Split, advance: Callable[[int], None]) -> Iterator[Problem]:
        """What is wrong with a split. Of demo data nobody knows counts and labels."""
        place = str(_folder_of(split))
        if split.n_items != split.n_expected and not self.demo:
            said = f"{counted(split.n_items, 'file')} instead of {split.n_expected:,}"
            yield Problem(place, said, self.mend.anew)
        if not self.depth.names:
            return
        items = list(split.list_items())
        if not self.demo:
            yield from self._of_names(place, split, items)
        images = (item.image for item in items)
        yield from folder_problems(split.root, images, self.mend)
        if self.depth.decode:
            size = None if split.made_from is not None else self._checks.size
            yield from damaged_files(self.benchmark, split, size, self.depth.workers, advance)

    @property
    def _checks(self) -> Checks:
        return Checks() if self.data_set is None else self.data_set.checks

    def _of_names(self, place: str, split: Split, items: Sequence[Item]) -> Iterator[Problem]:
        """Labels and counts, as far as the names of folders and files say them."""
        if said := label_problem(items, self.data_set):
            yield Problem(place, said, self.mend.sort)
        if self._checks.names is not None:
            images = (item.image for item in items)
            for said in name_problems(images, known_names()[self._checks.names]):
                yield Problem(place, said, self.mend.anew)
        if self.data_set is not None and _is_whole(split, self.data_set):
            for said in count_problems((item.image for item in items), self._checks):
                yield Problem(place, said, self.mend.anew)


def of_own_files(splits: Sequence[Split]) -> list[Split]:
    """One split of those that are made from the same files."""
    by_files = {split.made_from or f"\0{split.name}": split for split in reversed(splits)}
    return list(reversed(by_files.values()))


def label_problem(items: Sequence[Item], data_set: DataSet | None) -> str:
    """What is wrong with labels, in a sentence; "" where nothing is, or nothing is known.

    Args:
        items: of a split.
        data_set: whose names say a class, if its facts say so.
    """
    names = None if data_set is None else data_set.checks.names
    return "" if names is None else wrong_labels(items, known_names()[names])


def _folder_of(split: Split) -> Path:
    """Where its files are: below the root, or in a folder of an archive there."""
    if not split.name:
        return split.root
    places = (split.root / split.name, *split.root.glob(f"*/{split.name}"))
    return next((place for place in places if place.is_dir()), split.root)


def _is_whole(split: Split, data_set: DataSet) -> bool:
    """Whether it should have all of the data set, or of one of its equal parts."""
    checks = data_set.checks
    n_classes = len(class_lists()[checks.classes]) if checks.classes else 0
    return split.n_expected in (data_set.n_files, n_classes * (checks.per_class or 0))


def _missing(
    root: Path, splits: Sequence[Split], missing: Sequence[str], mend: str
) -> Iterator[Problem]:
    """One line for all parts that are missing; those of which nothing is there by one name."""
    if missing:
        there = {_first(split.name) for split in splits}
        parts = [name if _first(name) in there else _first(name) for name in missing]
        named = listed(list(dict.fromkeys(parts)), _PARTS_NAMED)
        yield Problem(str(root), f"{counted(len(missing), 'part')} missing: {named}", mend)


def _first(name: str) -> str:
    return name.partition("/")[0]


def _n_items(splits: Sequence[Split]) -> int:
    return sum(split.n_items for split in splits)


def _expected(splits: Sequence[Split], missing: Sequence[str]) -> int:
    counted = [split for split in splits if split.official] or splits
    largest = max(split.n_expected for split in counted)
    return sum(split.n_expected for split in counted) + len(missing) * largest


def _n_files(data_set: DataSet | None) -> int | None:
    return None if data_set is None else data_set.n_files
