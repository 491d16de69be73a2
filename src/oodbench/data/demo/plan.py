"""Which files the demo data consist of, and how each is made from the 20 source pictures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oodbench.core.files import atomic_path, write_text
from oodbench.data.clips import write_clip
from oodbench.data.demo.pictures import (
    corner_crop,
    cue_conflict,
    random_generator,
    rotation,
    sketch,
)
from oodbench.data.demo.sources import SOURCES, Source, open_source
from oodbench.data.manifest import DEMO_MARK
from oodbench.metrics.corruption import TEST_CORRUPTIONS
from oodbench.metrics.perturbation import TEST_PERTURBATIONS
from oodbench.reference import SEVERITIES, class_lists, geirhos_categories

NOTICE = (
    "demo data made by oodbench from 20 pictures: "
    "no number measured on it is comparable with a published one"
)
"""The text of every `DEMO_MARK`."""

_JPEG_QUALITY = 85
_SEED = 0  # of the corruptions and perturbations
_CORRUPTED = (4, 8, 15, 17)  # strawberry, yurt, goose, bald eagle
_PERTURBED = (0, 17)  # bull mastiff, bald eagle
_IMAGENET_A_VARIANTS = {"crop": corner_crop, "rotation": rotation}


@dataclass(frozen=True)
class DemoFile:
    """One file: `path` below the demo folder; `write(folder of the sources, path to write)`."""

    path: str
    write: Callable[[Path, Path], None]


@dataclass(frozen=True)
class DemoDataSet:
    """One data set and its files; those that mark it as demo data come first."""

    name: str
    files: tuple[DemoFile, ...]


def demo_data_sets() -> tuple[DemoDataSet, ...]:
    """The demo versions of the data sets, always the same; nothing is read or written.

    ImageNet's pictures also serve the white-box attacks.
    """
    return (
        _data_set("imagenet", _imagenet(), "imagenet/val"),
        _data_set("imagenet-a", _imagenet_a(), "imagenet-a"),
        _data_set("imagenet-c", _imagenet_c(), "imagenet-c"),
        _data_set("imagenet-p", _imagenet_p(), "imagenet-p"),
        _data_set(
            "imagenet-sketch", _imagenet_sketch(), "imagenet-sketch", "imagenet-sketch/sketch"
        ),
        _data_set("cue-conflict", _cue_conflict(), "cue-conflict"),
    )


def _data_set(name: str, files: Iterator[DemoFile], *roots: str) -> DemoDataSet:
    notices = [DemoFile(f"{root}/{DEMO_MARK}", _write_notice) for root in roots]
    return DemoDataSet(name, (*notices, *files))


def _imagenet() -> Iterator[DemoFile]:
    for source in SOURCES:
        path = f"imagenet/val/{source.stream_name}.JPEG"
        yield DemoFile(path, partial(_write_copy, source))


def _imagenet_a() -> Iterator[DemoFile]:
    for source in SOURCES:
        if source.wnid in class_lists()["imagenet_a"]:
            stem = f"imagenet-a/{source.wnid}/demo_{source.number:02d}"
            yield DemoFile(f"{stem}.jpg", partial(_write_copy, source))
            for variant in _IMAGENET_A_VARIANTS:
                yield DemoFile(f"{stem}_{variant}.jpg", partial(_write_variant, source, variant))


def _imagenet_c() -> Iterator[DemoFile]:
    for corruption in TEST_CORRUPTIONS:
        for cell in (f"{corruption}/{severity}" for severity in SEVERITIES):
            for source in (SOURCES[number] for number in _CORRUPTED):
                path = f"imagenet-c/{cell}/{source.stream_name}.JPEG"
                yield DemoFile(path, partial(_write_corrupted, source, cell))


def _imagenet_p() -> Iterator[DemoFile]:
    for perturbation in TEST_PERTURBATIONS:
        for source in (SOURCES[number] for number in _PERTURBED):
            path = f"imagenet-p/{perturbation}/{source.stream_name}.mp4"
            yield DemoFile(path, partial(_write_perturbed, source, perturbation))


def _imagenet_sketch() -> Iterator[DemoFile]:
    count: dict[str, int] = {}
    for source in SOURCES:
        index = count[source.wnid] = count.get(source.wnid, -1) + 1
        path = f"imagenet-sketch/sketch/{source.wnid}/sketch_{index}.JPEG"
        yield DemoFile(path, partial(_write_sketch, source))


def _cue_conflict() -> Iterator[DemoFile]:
    cues = [
        (category, f"{category}{index}", source)
        for category, members in geirhos_categories().items()
        for index, source in enumerate((s for s in SOURCES if s.label in members), start=1)
    ]
    for category, shape_name, shape in cues:
        for other, texture_name, texture in cues:
            # One stimulus without a conflict, as the official set has some.
            if category != other or (shape_name, texture_name) == ("bird1", "bird2"):
                path = f"cue-conflict/{category}/{shape_name}-{texture_name}.png"
                yield DemoFile(path, partial(_write_cue_conflict, shape, texture))


def _write_notice(sources: Path, path: Path) -> None:
    write_text(path, NOTICE + "\n")


def _write_copy(source: Source, sources: Path, path: Path) -> None:
    with atomic_path(path) as part:
        part.write_bytes((sources / source.file_name).read_bytes())


def _write_variant(source: Source, variant: str, sources: Path, path: Path) -> None:
    generator = random_generator("imagenet-a", variant, source.file_name)
    picture = _IMAGENET_A_VARIANTS[variant](open_source(sources / source.file_name), generator)
    _save(picture, path)


# What makes the next two is imported late: it needs OpenCV, which a list of the files does not.


def _write_corrupted(source: Source, cell: str, sources: Path, path: Path) -> None:
    from oodbench.data.corruptions.files import corrupted_file

    clean = _ready_for_corruptions(sources / source.file_name)
    with atomic_path(path) as part:
        part.write_bytes(corrupted_file(clean, cell, _SEED, source.stream_name))


def _write_perturbed(source: Source, perturbation: str, sources: Path, path: Path) -> None:
    from oodbench.data.perturbations.files import clip_frames, whole_picture

    picture = whole_picture(sources / source.file_name)
    # Not with the published settings of the encoder, which take ten times as long.
    write_clip(clip_frames(picture, perturbation, _SEED, source.stream_name), path)


@cache
def _ready_for_corruptions(path: Path) -> NDArray[np.uint8]:
    from oodbench.data.corruptions.files import clean_picture

    return clean_picture(path)


def _write_sketch(source: Source, sources: Path, path: Path) -> None:
    _save(sketch(open_source(sources / source.file_name)), path)


def _write_cue_conflict(shape: Source, texture: Source, sources: Path, path: Path) -> None:
    generator = random_generator("cue-conflict", shape.file_name, texture.file_name)
    shape_picture, texture_picture = (
        open_source(sources / source.file_name) for source in (shape, texture)
    )
    _save(cue_conflict(shape_picture, texture_picture, generator), path)


def _save(picture: Image.Image, path: Path) -> None:
    with atomic_path(path) as part:
        if path.suffix == ".png":
            picture.save(part, format="PNG")
        else:
            picture.save(part, format="JPEG", quality=_JPEG_QUALITY)
