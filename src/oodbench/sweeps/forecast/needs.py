"""What the runs of a sweep need, without running them: pictures, work, time, disk and memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from oodbench.benchmarks.base import HandOver, unresized_by
from oodbench.core.building import build
from oodbench.core.errors import ConfigError, OodbenchError, WeightsError, one_line
from oodbench.core.schema import RunConfig, source_model, validate
from oodbench.engines.settings import default_batch_size
from oodbench.models.weights import Weights, missing_head, stored, wanted
from oodbench.preprocessing import Transform
from oodbench.runs.chunks import Chunk, missing_chunks, own_chunks
from oodbench.runs.done import is_done
from oodbench.runs.key import run_key, transfer_document
from oodbench.runs.plan import (
    Data,
    Plan,
    find_data,
    identify_weights,
    plan_of,
    resizes_later,
)
from oodbench.runs.unknown import refuse_unknown_shards, unknown_weights
from oodbench.sweeps.forecast.attack_cost import PassCounts, attack_passes
from oodbench.sweeps.forecast.memory import (
    PROCESS_BYTES,
    clean_bytes,
    gradient_bytes,
    refills_batches,
)
from oodbench.sweeps.forecast.network_cost import NetworkCost, network_cost
from oodbench.sweeps.forecast.official import as_official, not_counted
from oodbench.sweeps.forecast.sample import Sample, sample

ROW_BYTES = 38
"""Bytes of a picture's records; measured with 512 pictures of ImageNet per file."""

ATTACKED_ROW_BYTES = 82
"""The same with the columns of an attack."""

T = TypeVar("T")


@dataclass(frozen=True)
class Need:
    """What one run needs. None where it is not known, because something is missing.

    Attributes:
        run: None where the config itself is wrong.
        data, sample: the benchmark's pictures.
        items: still to do, of this shard.
        to_do, done: pictures (frames, of clips) of this shard.
        cost: of the attacked or evaluated network.
        macs: multiply-adds of all that is to do.
        batch_size: pictures per batch.
        memory: bytes at the peak, an estimate, see `forecast_memory`.
        problems: what is missing or wrong, one line each.
    """

    run: RunConfig | None
    problems: tuple[str, ...] = ()
    device: str = ""
    data: Data | None = None
    sample: Sample | None = None
    items: int | None = None
    to_do: int | None = None
    done: int | None = None
    cost: NetworkCost | None = None
    macs: float | None = None
    batch_size: int = 0
    memory: int | None = None

    @property
    def attacked(self) -> bool:
        """Whether the run has an attack."""
        return self.run is not None and "_target_" in self.run.attack

    @property
    def disk(self) -> int | None:
        """Bytes of the records that are to be written."""
        if self.to_do is None:
            return None
        return self.to_do * (ATTACKED_ROW_BYTES if self.attacked else ROW_BYTES)


class Needs:
    """Finds out what runs need; what several runs share is looked at once."""

    def __init__(self, *, official: bool = False) -> None:
        """Know nothing yet.

        Args:
            official: count each data set as its source says, and nothing as done.
        """
        self._official = official
        self._known: dict[str, Any] = {}
        self._planned: dict[tuple[Path, str, int], int] = {}
        self._sources: set[str] = set()

    def of(self, compose: Callable[[], DictConfig]) -> Need:
        """The needs of one run. Nothing is downloaded and no result is written.

        Args:
            compose: gives the config.

        Raises:
            ConfigError: of `compose`: with such an override a sweep would not start at all.
        """
        config = compose()
        try:
            download = bool(config.weights.download)
            config.weights.download = False
            config.data.allow_partial = config.data.allow_partial or self._official
            run = validate(config)
        except OodbenchError as error:
            return Need(None, (str(error),))
        return self._of_run(run, download=download)

    def _of_run(self, run: RunConfig, *, download: bool) -> Need:
        problems: list[str] = []
        weights = self._attempt(problems, lambda: self._weights(run, download=download))
        if source := source_model(run.attack):
            attacked = replace(run, model=source)
            if not self._attempt(problems, lambda: self._weights(attacked, download=download)):
                return Need(run, tuple(problems))
        data = self._attempt(problems, lambda: self._data(run))
        if data is None:
            return Need(run, tuple(problems))
        if self._official:
            problems += not_counted(data, run.benchmark.name)
            data = as_official(data)
        if weights is not None:
            unknown = unknown_weights(run.model.name, weights)
            self._attempt(problems, partial(refuse_unknown_shards, run, unknown))
        known = weights or Weights((), None)
        plan = self._attempt(problems, lambda: plan_of(run, data, known))
        found = self._attempt(problems, lambda: self._sample(run, data))
        if plan is None or found is None:
            return Need(run, tuple(problems), data=data)
        counted = self._attempt(problems, lambda: self._pictures(plan, found))
        if counted is None:
            return Need(run, tuple(problems), data=data)
        total, items, to_do = counted
        need = Need(
            run=run,
            device=plan.device,
            data=data,
            sample=found,
            items=items,
            to_do=to_do,
            done=total - to_do,
        )
        weighed = self._attempt(problems, lambda: self._weighed(plan, need))
        return replace(weighed or need, problems=tuple(problems))

    def _weighed(self, plan: Plan, need: Need) -> Need:
        """The need, with batch size, multiply-adds and memory filled in."""
        run, device = plan.run, need.device
        assert need.sample is not None
        assert need.to_do is not None
        shape = self._shape(run, need.sample)
        pixels = shape[0] * shape[1]
        batch = run.engine.batch_size or default_batch_size(
            device,
            attack="_target_" in run.attack,
            refills=refills_batches(run.attack),
            pixels=pixels,
        )
        cost = self._cost(run.model.network, shape)
        passes = self._passes(run.attack)
        macs = cost.macs * passes.weight
        memory = clean_bytes(cost, batch)
        if passes.backward:
            memory = gradient_bytes(cost, run.attack, batch, pixels, device)
        if source := self._source_to_attack(plan, shape):
            macs += source.macs * passes.source_weight
            memory += gradient_bytes(source, run.attack["attack"], batch, pixels, device)
        return replace(
            need,
            batch_size=batch,
            cost=cost,
            macs=need.to_do * macs,
            memory=PROCESS_BYTES + memory,
        )

    def _pictures(self, plan: Plan, found: Sample) -> tuple[int, int, int]:
        """Pictures in all, items to do, pictures to do."""
        own = own_chunks(plan)
        todo = own
        if plan.unknown is None:
            known = own if self._official else [] if is_done(plan) else missing_chunks(plan)
            todo = [self._left(plan, chunk) for chunk in known]
        frames = found.frames
        total = sum((chunk.stop - chunk.first) * frames[chunk.split.name] for chunk in own)
        items = sum(chunk.stop - chunk.start for chunk in todo)
        pictures = sum((chunk.stop - chunk.start) * frames[chunk.split.name] for chunk in todo)
        return total, items, pictures

    def _left(self, plan: Plan, chunk: Chunk) -> Chunk:
        """The part that no earlier run of the sweep does."""
        place = (plan.paths.directory, chunk.split.name, chunk.number)
        stop = self._planned.get(place, chunk.start)
        self._planned[place] = max(stop, chunk.stop)
        return replace(chunk, start=max(chunk.start, min(stop, chunk.stop)))

    def _source_to_attack(self, plan: Plan, shape: tuple[int, int]) -> NetworkCost | None:
        """Cost of a transfer attack's source, for the run that makes the pictures: the first."""
        source = source_model(plan.run.attack)
        if source is None:
            return None
        made = run_key(transfer_document(plan.document))
        if made in self._sources:
            return None
        self._sources.add(made)
        return self._cost(source.network, shape)

    def _weights(self, run: RunConfig, *, download: bool) -> Weights:
        def look() -> Weights:
            try:
                return identify_weights(run)
            except WeightsError as error:
                raise WeightsError(_missing_weights(run, error, download=download)) from None

        return self._once(("weights", run.model.name, run.model.weights), look)

    def _data(self, run: RunConfig) -> Data:
        named = (run.benchmark.name, run.benchmark.root, run.benchmark.protocol)
        of_data = (run.data.allow_partial, run.data.container)
        return self._once(("data", *named, *of_data), lambda: find_data(run))

    def _sample(self, run: RunConfig, data: Data) -> Sample:
        return self._once(("sample", run.benchmark.protocol), lambda: sample(data))

    def _shape(self, run: RunConfig, found: Sample) -> tuple[int, int]:
        height, width, _ = preprocessed(run, found).shape
        return height, width

    def _cost(self, network: dict[str, Any], shape: tuple[int, int]) -> NetworkCost:
        def look() -> NetworkCost:
            try:
                return network_cost(network, *shape)
            except (RuntimeError, ValueError, TypeError, AssertionError) as error:
                raise ConfigError(
                    f"model.network._target_={network.get('_target_')}: fails on pictures of "
                    f"{shape[0]} x {shape[1]} pixels: {one_line(error, 200)}"
                ) from None

        return self._once(("cost", network, shape), look)

    def _passes(self, attack: dict[str, Any]) -> PassCounts:
        return self._once(("passes", attack), lambda: attack_passes(attack))

    def _once(self, key: tuple[Any, ...], look: Callable[[], T]) -> T:
        """What `look` finds or raises, the first time."""
        label = repr(key)
        if label not in self._known:
            try:
                self._known[label] = look()
            except OodbenchError as error:
                self._known[label] = error
        found = self._known[label]
        if isinstance(found, OodbenchError):
            raise found
        return found  # type: ignore[no-any-return]

    @staticmethod
    def _attempt(problems: list[str], look: Callable[[], T]) -> T | None:
        """What `look` finds; None, and one problem more, where something is missing."""
        try:
            return look()
        except OodbenchError as error:
            problems += str(error).splitlines()
            return None


def preprocessed(run: RunConfig, found: Sample) -> NDArray[np.uint8]:
    """The sample's first picture as the network sees it, uint8 `(H, W, 3)`."""
    return transform_of(run)(found.picture)


def transform_of(run: RunConfig) -> Transform:
    """The run's preprocessing."""
    made: Transform = build(run.preprocessing, "preprocessing")
    return made


def hand_over_of(need: Need) -> HandOver | None:
    """What is handed over of a picture that the device resizes; None where it does not."""
    assert need.run is not None
    assert need.data is not None
    if not resizes_later(need.run, need.device):
        return None
    return unresized_by(need.data.benchmark, transform_of(need.run))


def all_problems(needs: Iterable[Need]) -> list[str]:
    """What is missing or wrong, each once, in the order of the runs."""
    return list(dict.fromkeys(problem for need in needs for problem in need.problems))


def _missing_weights(run: RunConfig, error: WeightsError, *, download: bool) -> str:
    """Lines for what is missing: what a run would download, and a head that nobody publishes."""
    model, directory = run.model, Path(run.weights.dir)
    weights = model.weights
    named = weights.file is not None or weights.package is not None
    if named or next(stored(weights, directory), None) is not None:
        return str(error)
    lines = [str(error)]
    if download:
        lines = [
            f"model {model.name}: weights are not on disk; oodbench would download "
            f"{wanted(weights)} for {directory}"
        ]
    head = weights.head_file
    if weights.layout == "moco_v2" and (head is None or not Path(head).is_file()):
        lines.append(str(missing_head(model.name, head)))
    return "\n".join(lines)
