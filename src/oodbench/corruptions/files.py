"""Corrupted pictures as files: the published preparation, layout and JPEG settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from oodbench.benchmarks.pictures import load_picture
from oodbench.corruptions.parameters import picture_stream
from oodbench.corruptions.pixels import Picture
from oodbench.corruptions.registry import corrupt
from oodbench.files import atomic_path
from oodbench.preprocessing import Preprocessing

PUBLISHED_QUALITY = 85
"""JPEG quality of the published files, which are also optimised."""

_prepare = Preprocessing(resize=256, crop=224)


@dataclass(frozen=True)
class Task:
    """All that is to be made of one picture.

    Attributes:
        source: file of the clean picture.
        class_name: its class folder.
        cells: (corruption, severity) pairs.
        out: root of the corruptions.
        seed: of the whole data set.
    """

    source: Path
    class_name: str
    cells: Sequence[tuple[str, int]]
    out: Path
    seed: int


def clean_picture(path: Path) -> Picture:
    """RGB `(224, 224, 3)`: shorter side 256, bilinear, then the central square.

    Raises:
        DataError: the file cannot be read, by name.
    """
    return _prepare(load_picture(path)[0])


def file_name(source: str) -> str:
    """Name of a corrupted file: the clean one's, with the published suffix."""
    return Path(source).stem + ".JPEG"


def stream_name(class_name: str, source: str) -> str:
    """Name by which a picture gets its random stream: class folder and name, without suffix."""
    return f"{class_name}/{Path(source).stem}"


def encoded(picture: Picture, quality: int = PUBLISHED_QUALITY) -> bytes:
    """The JPEG file of a picture."""
    file = BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=quality, optimize=True)
    return file.getvalue()


def make(task: Task) -> int:
    """Write the files of a task, each atomically, as <corruption>/<severity>/<class>/<name>.JPEG.

    Returns:
        Number of files.

    Raises:
        DataError: the clean picture cannot be read, by name.
        OSError: a file cannot be written.
    """
    picture = clean_picture(task.source)
    name = stream_name(task.class_name, task.source.name)
    for corruption, severity in task.cells:
        rng = picture_stream(task.seed, corruption, severity, name)
        data = encoded(corrupt(picture, corruption, severity, rng))
        folder = task.out / corruption / str(severity) / task.class_name
        with atomic_path(folder / file_name(task.source.name)) as part:
            part.write_bytes(data)
    return len(task.cells)
