"""The pictures of a run, found again on disk and made small."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from oodbench.benchmarks.base import Benchmark, file_of
from oodbench.core.building import build
from oodbench.core.errors import DataError, DiskError, OodbenchError
from oodbench.data.entries import file_exists, folder_exists
from oodbench.data.pictures import load_picture
from oodbench.runs.results import RunResult
from oodbench.runs.stored_protocol import stored_protocol

_ROOT = "root"


class Pictures:
    """Where a run's pictures are, as the config in its result says, or below another data root."""

    def __init__(self, run: RunResult, data_root: Path | None = None) -> None:
        """Nothing is looked for yet.

        Args:
            run: a finished run.
            data_root: folder of data sets in the place of the one that the run read. Of the path
                that the run had the longest end that is there is taken: of
                `/old/data/imagenet/val` `imagenet/val`.
        """
        self._run = run
        self._data_root = data_root

    def file(self, row: Mapping[str, Any]) -> Path:
        """The file that shows the picture of a row, or that it is made from: where it is, or would
        be.

        Args:
            row: of the records, with `split` and `image`.
        """
        path = self._path(row)
        return path if self._benchmark is None else file_of(self._benchmark, path)

    def load(self, row: Mapping[str, Any]) -> Image.Image:
        """The picture of a row, or the frame of a clip, RGB, as it was before preprocessing.

        Args:
            row: with `split`, `image` and `frame`.

        Raises:
            DataError: it is gone, or cannot be read.
        """
        path = self._path(row)
        benchmark = self._benchmark
        try:
            frames = load_picture(path) if benchmark is None else benchmark.load(path)
        except DiskError as error:
            raise DataError(str(error)) from error
        return frames[min(int(row["frame"]), len(frames) - 1)]

    def _path(self, row: Mapping[str, Any]) -> Path:
        """What the benchmark reads for a row, which need not be a file, see `file`."""
        usual = self._root / str(row["image"])
        with suppress(OodbenchError):
            # The folder is asked for first, which opens a container.
            if not (folder_exists(usual.parent) and file_exists(usual)):
                return self._split_roots.get(str(row["split"]), self._root) / str(row["image"])
        return usual

    @cached_property
    def _protocol(self) -> dict[str, Any]:
        node = self._run.config.get("benchmark", {}).get("protocol", {})
        return dict(node) if isinstance(node, dict) else {}

    @cached_property
    def _root(self) -> Path:
        stored = Path(str(self._protocol.get(_ROOT, "")))
        return stored if self._data_root is None else _moved(stored, self._data_root)

    @cached_property
    def _benchmark(self) -> Benchmark | None:
        """What reads and makes the pictures; None where only the user's own code could."""
        try:
            node = {**stored_protocol(self._run), _ROOT: str(self._root)}
            found: Benchmark = build(node, "benchmark.protocol")
        except OodbenchError:
            return None
        return found

    @cached_property
    def _split_roots(self) -> dict[str, Path]:
        """By split, the folder that its pictures are below; the data set is listed for it."""
        if self._benchmark is None:
            return {}
        return {split.name: split.root for split in self._benchmark.splits()}


def _moved(stored: Path, data_root: Path) -> Path:
    for number in range(len(stored.parts)):
        moved = data_root.joinpath(*stored.parts[number:])
        with suppress(OodbenchError):
            if moved.is_relative_to(data_root) and (folder_exists(moved) or file_exists(moved)):
                return moved
    return data_root / stored.name


def thumbnail(picture: Image.Image, side: int) -> Image.Image:
    """The whole picture, made smaller where its longer side has more pixels than that."""
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def jpeg(picture: Image.Image) -> bytes:
    """A small RGB picture as the bytes of a JPEG file without any metadata."""
    content = BytesIO()
    picture.save(content, "JPEG", quality=85, optimize=True, exif=b"", icc_profile=None)
    return content.getvalue()
