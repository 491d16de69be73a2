"""What a config asks for, found without torch: data, weights, key, and whether it is done."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.utils import get_object

from oodbench.benchmarks.base import Benchmark, Split
from oodbench.core.budget import item_counts, parse_budget
from oodbench.core.building import build
from oodbench.core.errors import ConfigError, DataError
from oodbench.core.ids import SCORES, located_name
from oodbench.core.schema import DataConfig, RunConfig, source_model
from oodbench.data.containers.base import Choices
from oodbench.data.containers.opened import choose
from oodbench.data.contents import FileSet
from oodbench.data.entries import file_exists
from oodbench.data.listing import folder_names
from oodbench.data.manifest import DEMO_MARK, found_notice
from oodbench.engines.settings import device_type, resolve_device
from oodbench.models.weights import Weights, identified
from oodbench.runs.key import key_document, run_key, transfer_document
from oodbench.runs.paths import RunPaths
from oodbench.runs.unknown import (
    Unknown,
    refuse_unknown_shards,
    unknown_sources,
    unknown_weights,
)
from oodbench.runs.verified import verified


@dataclass(frozen=True)
class Plan:
    """A run whose data and weights are found and whose key is known.

    Attributes:
        counts: items to evaluate of every split (after `limit` and `budget`).
        weights: those of the model.
        source_weights: of the source of a transfer attack, None for other attacks.
        files: see `Data`.
    """

    run: RunConfig
    benchmark: Benchmark
    splits: Sequence[Split]
    missing_splits: Sequence[str]
    counts: dict[str, int]
    weights: Weights
    source_weights: Weights | None
    device: str
    document: dict[str, Any]
    key: str
    paths: RunPaths
    demo: bool
    files: Mapping[str, FileSet] = field(default_factory=dict)

    @property
    def unknown(self) -> Unknown | None:
        """What of the run has no identity, so that nothing on disk may be reused."""
        weights = unknown_weights(self.run.model.name, self.weights)
        return weights or unknown_sources(self.document)

    @staticmethod
    def cell_of(run: RunConfig) -> str:
        """`model × benchmark`, with preprocessing and attack where they are not the usual ones."""
        extras = []
        if run.preprocessing["name"] != "published":
            extras.append(f"preprocessing={run.preprocessing['name']}")
        if run.attack["name"] != run.benchmark.attack:
            extras.append(f"attack={run.attack['name']}")
        return " ".join([f"{run.model.name} × {run.benchmark.name}", *extras])

    @property
    def cell(self) -> str:
        """`model × benchmark`, for messages."""
        return self.cell_of(self.run)


@dataclass(frozen=True)
class Data:
    """The pictures of a benchmark, found on disk.

    Attributes:
        missing: names of the splits that are not there, which `data.allow_partial` allows.
        files: by split, what is known of its files; empty with data.verify=sizes.
    """

    benchmark: Benchmark
    splits: Sequence[Split]
    missing: Sequence[str]
    files: Mapping[str, FileSet] = field(default_factory=dict)


def make_plan(run: RunConfig) -> Plan:
    """Find data and weights and compute the key.

    Raises:
        DataError: data are missing or incomplete.
        WeightsError: weights are missing or have the wrong hash.
        ConfigError: a shard of a run with unknown weights or code; the machine has no such device.
    """
    data, weights = find_data(run), identify_weights(run)
    refuse_unknown_shards(run, unknown_weights(run.model.name, weights))
    return plan_of(run, data, weights)


def find_data(run: RunConfig) -> Data:
    """What is on disk of the benchmark.

    Raises:
        DataError: data are missing or incomplete.
        ConfigError: a score needs an attack, and the run has none; or an attack needs classes.
    """
    choose_container(run)
    benchmark: Benchmark = build(run.benchmark.protocol, "benchmark.protocol")
    splits = benchmark.splits()
    missing = benchmark.missing_splits()
    _refuse_unattacked(run)
    _refuse_attacked(run, benchmark)
    _refuse_generated(run)
    _check_complete(run, splits, missing)
    found, files = verified(run, benchmark, splits)
    return Data(benchmark, found, missing, files)


def choose_container(run: RunConfig) -> None:
    """Tell this process what the run says of a container of pictures."""
    choose(Path(run.benchmark.root), Choices(**vars(run.data.container)))


def identify_weights(run: RunConfig) -> Weights:
    """The model's weights, found and checked.

    Raises:
        WeightsError: weights are missing or have the wrong hash.
    """
    return identified(
        run.model.name, run.model.weights, Path(run.weights.dir), download=run.weights.download
    )


def plan_of(run: RunConfig, data: Data, weights: Weights) -> Plan:
    """The plan for data and weights that were found.

    Raises:
        ConfigError: the machine has no such device; a shard of a run with unknown code, or a source
            of it.
        WeightsError: those of the source of a transfer attack are missing.
    """
    splits = data.splits
    source_weights = _source_weights(run)
    device = resolve_device(run.engine.device)
    document = key_document(
        run,
        weights=weights.identity,
        splits=splits,
        device_type=device_type(device),
        source_weights=source_weights.identity if source_weights else None,
    )
    refuse_unknown_shards(run, unknown_sources(document))
    if source_weights is not None and (made := unknown_sources(transfer_document(document))):
        raise ConfigError(
            f"attack={run.attack['name']}: the {made.what} are unknown, so its pictures cannot be "
            f"named; set {made.mend}"
        )
    key = run_key(document)
    return Plan(
        run=run,
        benchmark=data.benchmark,
        splits=splits,
        missing_splits=data.missing,
        counts=item_counts(
            {split.name: split.n_items for split in splits}, parse_budget(run.budget), run.limit
        ),
        weights=weights,
        source_weights=source_weights,
        device=device,
        document=document,
        key=key,
        paths=RunPaths.of(Path(run.output_root), run.benchmark.name, run.model.name, key),
        files=data.files,
        demo=any(file_exists(place / DEMO_MARK) for place in _roots(run, splits)),
    )


def unidentified_paths(run: RunConfig) -> RunPaths:
    """Folder for the failure of a run whose key could not be found: no data, or no weights."""
    name = f"unidentified-{run.preprocessing['name']}-{run.attack['name']}"
    return RunPaths.of(Path(run.output_root), run.benchmark.name, run.model.name, name)


def _source_weights(run: RunConfig) -> Weights | None:
    """The weights that a transfer attack is made on, None for other attacks.

    Raises:
        ConfigError: it is unknown, so that the pictures could not be named.
    """
    source = source_model(run.attack)
    if source is None:
        return None
    found = identified(
        source.name, source.weights, Path(run.weights.dir), download=run.weights.download
    )
    if found.identity is None:
        raise ConfigError(
            f"attack.source={source.name}: weights unknown, so its pictures cannot be named; set "
            "attack.source.weights.identity=NAME"
        )
    return found


def _roots(run: RunConfig, splits: Sequence[Split]) -> set[Path]:
    return {Path(run.benchmark.root), *(split.root for split in splits)}


def _refuse_unattacked(run: RunConfig) -> None:
    """Scores of attacked pictures have nothing to count in a clean run."""
    if "_target_" in run.attack:
        return
    for name in run.benchmark.protocol.get(SCORES) or ():
        if getattr(get_object(located_name(str(name))), "needs_attack", False):
            raise ConfigError(
                f"benchmark={run.benchmark.name} attack={run.attack['name']}: {name} counts "
                f"attacked pictures: use an attack, such as attack={run.benchmark.attack}"
            )


def _refuse_attacked(run: RunConfig, benchmark: Benchmark) -> None:
    """An attack pursues or flees the label, which has to be a class."""
    if "_target_" in run.attack and not getattr(benchmark, "has_classes", True):
        raise ConfigError(
            f"benchmark={run.benchmark.name} attack={run.attack['name']}: its labels are no "
            "ImageNet classes, so that there is nothing to attack: use attack=none"
        )


def _refuse_generated(run: RunConfig) -> None:
    """What `oodbench-data` generated is never to stand in the column of the official data set."""
    if not run.benchmark.is_official:
        return
    root = Path(run.benchmark.root)
    for folder in [root, *(root / name for name in folder_names(root))]:  # as find_trees looks
        if notice := found_notice(folder):
            raise DataError(
                f"{folder}: {notice}: set benchmark.name={run.benchmark.name}_generated"
            )


def _check_complete(run: RunConfig, splits: Sequence[Split], missing: Sequence[str]) -> None:
    if run.data.allow_partial:
        return
    mend = "complete the data, or set data.allow_partial=true to accept and mark the cell"
    if missing:
        raise DataError(
            f"{run.benchmark.root}: {len(missing)} parts of {run.benchmark.name} missing "
            f"({', '.join(missing[:4])}{', …' if len(missing) > 4 else ''}); {mend}"
        )
    for split in splits:
        if split.n_items != split.n_expected:
            of = f" of {split.name}" if split.name else ""
            raise DataError(
                f"{split.root}: {split.n_items} files{of}, {run.benchmark.name} has "
                f"{split.n_expected}; {mend}"
            )


def decoders(data: DataConfig) -> int:
    """Threads or processes that decode: one per core, since the network waits for them or they for
    it."""
    return data.workers or len(os.sched_getaffinity(0))


RESIZING_WORKERS = 32
"""More of them decode and resize 13,000 pictures a second, at the 2.4 ms of the processor that one
took on a server with an H100, where a compiled ResNet-50 computed 12,200 (`docs/gpu.md`)."""


def resizes_later(run: RunConfig, device: str) -> bool:
    """Whether `data.resizing` has pictures resized by the device and not by those that decode.

    By default a CUDA device does for clean runs, which wait for what decodes, unless there is much
    of that. What a cache keeps is resized before.
    """
    if run.data.resizing == "workers" or run.data.cache != "off":
        return False
    clean_on_cuda = device_type(device) == "cuda" and "_target_" not in run.attack
    waits = clean_on_cuda and decoders(run.data) <= RESIZING_WORKERS
    return run.data.resizing == "device" or waits


MOST_THREADS = 4
"""More of them wait for each other's interpreter lock as much as they decode."""

ITEMS_A_PROCESS = 100
"""With fewer, the run is over before a second is won that starting the processes takes."""


def decodes_in_processes(data: DataConfig, n_items: int) -> bool:
    """Whether processes decode this many items, as `data.loader` says, and not threads."""
    if data.loader != "auto":
        return data.loader == "processes"
    workers = decoders(data)
    in_memory = data.cache == "memory"  # of one process
    return workers > MOST_THREADS and n_items >= ITEMS_A_PROCESS * workers and not in_memory
