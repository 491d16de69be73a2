"""Pixels of a run's items: from the cache, or decoded and preprocessed."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import features

from oodbench.benchmarks.base import Item, Split
from oodbench.core.building import build
from oodbench.core.versions import versions
from oodbench.evaluation.pixel_cache import PixelCache, open_cache
from oodbench.preprocessing import Transform
from oodbench.runs.plan import Plan

LIBRARIES = ("pillow", "torchvision", "numpy", "opencv-python", "corrupt-tta")
"""What decodes and resizes, and what makes the generated pictures."""


class Reader:
    """What the loader's threads do with an item; a context manager that closes the caches."""

    def __init__(self, plan: Plan) -> None:
        """Build the preprocessing; a split's cache is opened with its first item.

        Raises:
            ConfigError: the preprocessing cannot be built.
        """
        self._plan = plan
        self._transform: Transform = build(plan.run.preprocessing, "preprocessing")
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
        pictures = self._plan.benchmark.load(split.root / item.image)
        pixels = np.stack([self._transform(picture) for picture in pictures])
        cache.put(position, pixels)
        return pixels

    def _cache(self, split: Split) -> PixelCache:
        with self._lock:
            if split.name not in self._caches:
                data = self._plan.run.data
                self._caches[split.name] = open_cache(
                    data.cache,
                    Path(data.cache_dir),
                    data.cache_gib,
                    self._identity(split),
                    split.name,
                    split.n_items,
                    self._plan.counts[split.name],
                )
            return self._caches[split.name]

    def _identity(self, split: Split) -> dict[str, Any]:
        """All that the pixels of a split depend on."""
        benchmark = self._plan.document["benchmark"]
        return {
            "schema": self._plan.document["schema"],
            "pictures": split.fingerprint,
            "protocol": benchmark["protocol"],
            "version": benchmark["version"],
            "preprocessing": self._plan.document["preprocessing"],
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
