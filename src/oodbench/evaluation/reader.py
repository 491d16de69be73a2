"""Pixels of a run's items: from the cache, or decoded and preprocessed."""

import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import features

from oodbench.benchmarks.base import Benchmark, Item, Split
from oodbench.core.building import build
from oodbench.core.schema import RunConfig
from oodbench.core.versions import versions
from oodbench.data.depth import deep_pictures
from oodbench.data.pictures import prepared
from oodbench.evaluation.pixel_cache import PixelCache, open_cache
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
        """Pixels uint8 `(frames, H, W, 3)`.

        Raises:
            DataError: the item cannot be read, by name.
        """
        cache = self._cache(split)
        known = cache.get(position)
        if known is not None:
            return known
        path = split.root / item.image
        with deep_pictures(scale=self.reading.run.data.deep_pictures == "scale") as deep:
            pictures = self._benchmark.load(path)
        pixels = np.stack([prepared(picture, path, self._transform) for picture in pictures])
        if not deep:  # the cache would not say that it is
            cache.put(position, pixels)
        return pixels

    def _cache(self, split: Split) -> PixelCache:
        with self._lock:
            if split.name not in self._caches:
                data = self.reading.run.data
                self._caches[split.name] = open_cache(
                    data.cache,
                    Path(data.cache_dir),
                    data.cache_gib,
                    self._identity(split),
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
