"""How long runs would take on this machine, from some seconds of calibration."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oodbench.core.errors import OodbenchError
from oodbench.core.resampling.packed import packed
from oodbench.engines.resizing import Pixels
from oodbench.engines.settings import device_type
from oodbench.runs.plan import decoders, decodes_in_processes, resizes_later
from oodbench.sweeps.forecast.needs import Need, hand_over_of, preprocessed, transform_of
from oodbench.sweeps.forecast.parts import Parts
from oodbench.sweeps.forecast.sample import seconds_an_item
from oodbench.sweeps.forecast.speed import seconds_a_copy, seconds_a_pass

NETWORK_SECONDS = 7.0
READING_SECONDS = 3.0
"""Together the 10 seconds of a calibration; building and exporting the networks comes on top."""


@dataclass(frozen=True)
class Speed:
    """Speed of a kind of network on this machine.

    Attributes:
        model: the one that was timed: of the runs that are to do, the cheapest of its family.
        engine: that computed it.
        macs: multiply-adds per second.
        copy: seconds to copy the pixels of a picture to the device, and to resize them there if
            the run does; 0 on a CPU.
    """

    model: str
    engine: str
    macs: float
    copy: float = 0.0


@dataclass(frozen=True)
class Times:
    """What was found.

    Attributes:
        speeds: of each kind of network.
        parts: of every run, in the order of the needs; None where they are not known.
        problems: networks that could not be timed, one line each.
    """

    speeds: tuple[Speed, ...]
    parts: tuple[Parts | None, ...]
    problems: tuple[str, ...]

    @property
    def seconds(self) -> list[float | None]:
        """Of every run."""
        return [parts.seconds if parts else None for parts in self.parts]


def times(needs: Sequence[Need]) -> Times:
    """Time the cheapest network of each kind, and the reading of each benchmark's pictures.

    Within a family, a network's time is in proportion to its multiply-adds; EfficientNets do fewer
    per second than ResNets. On a CPU reading and network share the cores and their times add up, on
    an accelerator the longer one counts. Attacks are taken to need all of their steps, so that
    theirs is an upper bound.
    """
    todo = [need for need in needs if need.to_do and need.macs is not None]
    problems: list[str] = []
    speeds = _speeds(todo, problems)
    reading = _reading(todo, problems)
    parts = [_parts(need, speeds, reading) for need in needs]
    return Times(tuple(speeds.values()), tuple(parts), tuple(problems))


def _parts(
    need: Need, speeds: dict[Hashable, Speed], reading: dict[Hashable, float]
) -> Parts | None:
    at_once = device_type(need.device) != "cpu"
    if need.to_do == 0:
        return Parts(0.0, 0.0, 0.0, at_once)
    if need.macs is None or need.items is None or need.to_do is None:
        return None
    speed, read = speeds.get(_kind(need)), reading.get(_pipeline(need))
    if speed is None or read is None:
        return None
    copying = need.to_do * speed.copy
    return Parts(need.items * read, copying, need.macs / speed.macs, at_once)


def _speeds(todo: Sequence[Need], problems: list[str]) -> dict[Hashable, Speed]:
    kinds: dict[Hashable, list[Need]] = {}
    for need in todo:
        kinds.setdefault(_kind(need), []).append(need)
    found = {}
    for kind, needs in kinds.items():
        cheapest = min(needs, key=_macs_a_picture)
        try:
            found[kind] = _speed(cheapest, NETWORK_SECONDS / len(kinds))
        except OodbenchError as error:
            problems.append(str(error))
    return found


def _speed(need: Need, seconds: float) -> Speed:
    assert need.run is not None
    assert need.sample is not None
    picture = preprocessed(need.run, need.sample)
    pixels = np.stack([picture] * need.batch_size)
    a_pass, engine = seconds_a_pass(need.run, pixels, need.device, seconds=seconds)
    copy = seconds_a_copy(_copied(need, pixels), need.device)
    return Speed(need.run.model.name, engine, _macs_a_picture(need) / a_pass, copy)


def _copied(need: Need, pixels: NDArray[np.uint8]) -> Pixels:
    """What is copied of a batch to the device."""
    assert need.sample is not None
    hand_over = hand_over_of(need)
    unresized = hand_over(need.sample.picture) if hand_over else None
    if unresized is None:
        return pixels
    return packed([unresized] * len(pixels))


def _read_by(need: Need) -> Callable[[Image.Image], object]:
    """What is done with a picture where it is decoded."""
    assert need.run is not None
    transform, hand_over = transform_of(need.run), hand_over_of(need)

    def read(picture: Image.Image) -> object:
        unresized = hand_over(picture) if hand_over else None
        return transform(picture) if unresized is None else unresized

    return read


def _reading(todo: Sequence[Need], problems: list[str]) -> dict[Hashable, float]:
    pipelines = {_pipeline(need): need for need in todo}
    found = {}
    for pipeline, need in pipelines.items():
        assert need.run is not None
        assert need.data is not None
        assert need.sample is not None
        try:
            found[pipeline] = seconds_an_item(
                need.data,
                need.sample,
                _read_by(need),
                workers=decoders(need.run.data),
                in_processes=decodes_in_processes(need.run.data, need.items or 0),
                seconds=READING_SECONDS / len(pipelines),
            )
        except OodbenchError as error:
            problems.append(str(error))
    return found


def _macs_a_picture(need: Need) -> int:
    assert need.cost is not None
    return need.cost.macs


def _kind(need: Need) -> Hashable:
    assert need.run is not None
    return need.run.model.family, need.attacked, need.device, repr(need.run.engine)


def _pipeline(need: Need) -> Hashable:
    assert need.run is not None
    run = need.run
    on_device = resizes_later(run, need.device)
    return repr((run.benchmark.protocol, run.preprocessing, run.data.workers, on_device))
