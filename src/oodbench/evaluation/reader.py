"""Pixels of a run's items: from the cache, or decoded and preprocessed."""

import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import features

from oodbench.benchmarks.base import Benchmark, Item, Split, file_of, finished
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
    """

    run: RunConfig
    document: dict[str, Any]
    counts: dict[str, int]


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
        self._caches: dict[str, PixelCache] = {}
        self._lock = threading.Lock()

    def __call__(self, split: Split, position: int, item: Item) -> NDArray[np.uint8]:
        """Pixels uint8 `(frames, H, W, 3)`; the file that they are from is named to `files_read`.

        Raises:
            DataError: the item cannot be read, by name.
        """
        cache = self._cache(split)
        file = file_of(self._benchmark, split.root / item.image)
        state = NO_FILE if isinstance(cache, NoCache) else file_state(file)
        known = cache.get(position, state)
        if known is None:
            known, is_usual = self._decoded(split.root / item.image, file)
            if is_usual:
                cache.put(position, known)
        if known.sha256:
            name_read(ReadFile(file, known.state, known.sha256))
        return known.pixels

    def _decoded(self, path: Path, file: Path) -> tuple[Known, bool]:
        """An item, and whether the cache may have it: it would not say that a picture is deep."""
        scale = self.reading.run.data.deep_pictures == "scale"
        with deep_pictures(scale=scale) as deep, files_read() as files:
            pictures = self._benchmark.load(path)
            if all(read.path != file for read in files):  # loaded without `read_file`
                with suppress(OSError):
                    read_file(file)
        read = next((read for read in files if read.path == file), None)
        pixels = np.stack(
            [
                finished(self._benchmark, prepared(picture, path, self._transform))
                for picture in pictures
            ]
        )
        known = Known(pixels, read.state, read.sha256) if read else Known(pixels)
        return known, not deep

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
