"""Pixels of a run's items: from the cache, or decoded and preprocessed."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image, features

from oodbench.benchmarks.base import Benchmark, Item, Split, file_of, finished, unresized_by
from oodbench.core.building import build
from oodbench.core.own_code.identity import CODE, unknown_code
from oodbench.core.schema import RunConfig
from oodbench.core.versions import versions
from oodbench.data.depth import deep_pictures
from oodbench.data.pictures import prepared
from oodbench.data.read_files import (
    NO_FILE,
    ReadFile,
    file_state,
    files_read,
    name_read,
    read_file,
)
from oodbench.evaluation.loading import ItemPixels
from oodbench.evaluation.pixel_cache import Known, NoCache, PixelCache, open_cache
from oodbench.preprocessing import Transform

LIBRARIES = ("pillow", "torchvision", "numpy", "opencv-python", "corrupt-tta")
"""What decodes and resizes, and what makes the generated pictures."""


@dataclass(frozen=True)
class Reading:
    """What the pixels of a run depend on, in a form that can be sent to another process.

    Attributes:
        document: of the run's key.
        counts: items to evaluate of every split.
        resized_later: whether pictures are handed over as they are decoded, where what resizes them
            later makes the same pixels of them.
    """

    run: RunConfig
    document: dict[str, Any]
    counts: dict[str, int]
    resized_later: bool = False


class Reader:
    """What a loader does with an item; a context manager that closes the caches."""

    def __init__(self, reading: Reading, benchmark: Benchmark) -> None:
        """Build the preprocessing; a split's cache is opened with its first item.

        Raises:
            ConfigError: the preprocessing cannot be built.
        """
        self.reading = reading
        self._benchmark = benchmark
        self._transform: Transform = build(reading.run.preprocessing, "preprocessing")
        self._unresized = (
            unresized_by(benchmark, self._transform) if reading.resized_later else None
        )
        self._caches: dict[str, PixelCache] = {}
        self._lock = threading.Lock()

    def __call__(self, split: Split, position: int, item: Item) -> ItemPixels:
        """Pixels of an item; the file that they are from is named to `files_read`.

        Raises:
            DataError: the item cannot be read, by name.
        """
        cache = self._cache(split)
        path = split.root / item.image
        file = file_of(self._benchmark, path)
        state = NO_FILE if isinstance(cache, NoCache) else file_state(file)
        known = cache.get(position, state)
        if known is not None:
            if known.sha256:
                name_read(ReadFile(file, known.state, known.sha256))
            return known.pixels
        pictures, read, deep = self._decoded(path, file)
        if read is not None:
            name_read(read)
        pixels = self._pixels(pictures, path)
        # The cache would not say that a picture is deep.
        if isinstance(pixels, np.ndarray) and not deep:
            cache.put(position, Known(pixels, read.state, read.sha256) if read else Known(pixels))
        return pixels

    def _decoded(
        self, path: Path, file: Path
    ) -> tuple[Sequence[Image.Image], ReadFile | None, bool]:
        """The pictures of an item, what was read of its file, and whether one of them is deep."""
        scale = self.reading.run.data.deep_pictures == "scale"
        with deep_pictures(scale=scale) as deep, files_read() as files:
            pictures = self._benchmark.load(path)
            if all(read.path != file for read in files):  # loaded without `read_file`
                with suppress(OSError):
                    read_file(file)
        read = next((read for read in files if read.path == file), None)
        return pictures, read, bool(deep)

    def _pixels(self, pictures: Sequence[Image.Image], path: Path) -> ItemPixels:
        if self._unresized is not None and len(pictures) == 1:
            found = prepared(pictures[0], path, self._unresized)
            if found is not None:
                return found
        return np.stack(
            [
                finished(self._benchmark, prepared(picture, path, self._transform))
                for picture in pictures
            ]
        )

    def _cache(self, split: Split) -> PixelCache:
        with self._lock:
            if split.name not in self._caches:
                data = self.reading.run.data
                identity = self._identity(split)
                self._caches[split.name] = open_cache(
                    "off" if unknown_code(identity) else data.cache,
                    Path(data.cache_dir),
                    data.cache_gib,
                    identity,
                    split.name,
                    split.n_items,
                    self.reading.counts[split.name],
                )
            return self._caches[split.name]

    def _identity(self, split: Split) -> dict[str, Any]:
        """All that the pixels of a split depend on."""
        benchmark = self.reading.document["benchmark"]
        return {
            "schema": self.reading.document["schema"],
            "pictures": split.fingerprint,
            "protocol": benchmark["protocol"],
            "version": benchmark["version"],
            "preprocessing": self.reading.document["preprocessing"],
            CODE: benchmark.get(CODE),
            "libraries": versions(LIBRARIES),
            "libjpeg_turbo": features.version("libjpeg_turbo"),
        }

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for cache in self._caches.values():
            cache.close()
