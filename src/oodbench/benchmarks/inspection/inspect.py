"""A benchmark's data: where they have to be, how many there are, and what is wrong with them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from oodbench.benchmarks.base import Benchmark, Split
from oodbench.benchmarks.inspection.decoding import damaged_files
from oodbench.benchmarks.inspection.finding import Inspection, Problem
from oodbench.benchmarks.inspection.folders import count_problems, folder_problems
from oodbench.benchmarks.inspection.labels import wrong_labels
from oodbench.benchmarks.inspection.layout import layout_problem
from oodbench.core.building import build
from oodbench.core.errors import DataError
from oodbench.core.progress import Progress
from oodbench.core.schema import BenchmarkConfig
from oodbench.data.manifest import DEMO_MARK
from oodbench.data.sets.facts import DataSet, data_sets

_LISTED = 4


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
    mend = mend_command(config.name, data_set, data_root)
    if not root.exists():
        return Inspection(config.name, str(root), there=False, n_expected=_n_files(data_set))
    demo = any((place / DEMO_MARK).is_file() for place in (root, *root.parents[:2]))
    try:
        splits, missing = benchmark.splits(), benchmark.missing_splits()
    except DataError as error:
        problem = layout_problem(root, error, mend)
        return Inspection(config.name, str(root), there=True, demo=demo, problems=[problem])
    problems = [*_missing(root, missing, mend)]
    with Progress(_n_items(splits) * depth.decode, config.name, "file") as progress:
        for split in splits:
            problems += _of_split(benchmark, split, data_set, depth, mend, progress.advance, demo)
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


def mend_command(name: str, data_set: DataSet | None, data_root: Path) -> str:
    """The command that makes the data set anew, or where to read how."""
    if data_set is None:
        return "complete the data"
    if data_set.arrange is None:
        return f"see {data_set.page}"
    return f"oodbench-data prepare {name} --from ARCHIVES --to {data_root}"


def _of_split(
    benchmark: Benchmark,
    split: Split,
    data_set: DataSet | None,
    depth: Depth,
    mend: str,
    advance: Callable[[int], None],
    demo: bool,
) -> Iterator[Problem]:
    place = str(split.root / split.name) if (split.root / split.name).is_dir() else str(split.root)
    if split.n_items != split.n_expected:
        said = f"{split.n_items} files instead of {split.n_expected}"
        yield Problem(place, said, mend)
    if not depth.names:
        return
    items = split.list_items()
    if said := "" if demo else wrong_labels(items):
        yield Problem(place, said, mend)
    elif data_set is not None and _is_whole(split, data_set):
        labels = [item.label for item in items]
        for found in count_problems(labels, data_set.n_classes, data_set.per_class):
            yield Problem(place, found, mend)
    yield from folder_problems(split.root, (item.image for item in items), mend)
    if depth.decode:
        side = None if data_set is None or split.made_from is not None else data_set.side
        yield from damaged_files(benchmark, split, side, depth.workers, advance)


def _is_whole(split: Split, data_set: DataSet) -> bool:
    """Whether it is all of the data set, or of one of its equal parts, and complete."""
    in_all = (data_set.n_classes or 0) * (data_set.per_class or 0)
    return split.n_items == split.n_expected and split.n_expected in (data_set.n_files, in_all)


def _missing(root: Path, missing: Sequence[str], mend: str) -> Iterator[Problem]:
    if missing:
        more = ", …" if len(missing) > _LISTED else ""
        named = ", ".join(missing[:_LISTED]) + more
        yield Problem(str(root), f"{len(missing)} parts are missing: {named}", mend)


def _n_items(splits: Sequence[Split]) -> int:
    return sum(split.n_items for split in splits)


def _expected(splits: Sequence[Split], missing: Sequence[str]) -> int:
    counted = [split for split in splits if split.official] or splits
    largest = max(split.n_expected for split in counted)
    return sum(split.n_expected for split in counted) + len(missing) * largest


def _n_files(data_set: DataSet | None) -> int | None:
    return None if data_set is None else data_set.n_files
