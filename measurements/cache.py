"""Pixels of the same pictures: decoded and preprocessed against taken from the cache, one thread.

`theirs` decodes with `load_picture` and then Resize 256, CenterCrop 224. `ours` is the second pass
with `data.cache=memory`, with `data.cache=disk` through a file that is opened anew, and with the
same file once the system has dropped its pages, as after a restart. The first pass, which fills
the cache, is compared too: what keeping a picture costs. Wall time per picture, the best of several
rounds, both sides in turns.

    python measurements/cache.py --pictures /data/imagenet/val --json cache.json
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from first_pictures import first_pictures
from numpy.typing import NDArray

from oodbench.core.files import write_json
from oodbench.data.pictures import load_picture
from oodbench.evaluation.pixel_cache import Known, PixelCache, open_cache
from oodbench.preprocessing import Preprocessing

LIMIT_GIB = 4.0

Pixels = NDArray[np.uint8]


class Work:
    """A pass over the pictures, with and without a cache."""

    def __init__(self, paths: Sequence[Path], directory: Path) -> None:
        self.paths = paths
        self.directory = directory
        self._transform = Preprocessing(resize=256, crop=224)

    def decoded(self, position: int) -> Pixels:
        """uint8 `(1, 224, 224, 3)` of the picture."""
        (picture,) = load_picture(self.paths[position])
        return self._transform(picture)[None]

    def cache(self, kind: str, name: str) -> PixelCache:
        """Opened anew; `name` stands for the pixels' identity."""
        n = len(self.paths)
        return open_cache(kind, self.directory, LIMIT_GIB, {"name": name}, "", n, n)

    def cold(self, kind: str, name: str) -> float:
        """Milliseconds per picture of a pass that fills a new cache."""
        cache = self.cache(kind, name)
        taken = self._timed(lambda position: cache.put(position, Known(self.decoded(position))))
        cache.close()
        return taken

    def warm(self, kind: str, name: str) -> float:
        """Milliseconds per picture of a pass that finds all in the cache."""
        clock = time.perf_counter()
        cache = self.cache(kind, name)
        opened = time.perf_counter() - clock
        taken = self._timed(cache.get)
        cache.close()
        return taken + opened / len(self.paths) * 1e3

    def plain(self) -> float:
        """Milliseconds per picture of a pass without cache."""
        return self._timed(self.decoded)

    def agree(self, kind: str, name: str) -> bool:
        """Whether every picture is in the cache and has the decoded pixels."""
        cache = self.cache(kind, name)
        found = [cache.get(position) for position in range(len(self.paths))]
        cache.close()
        return all(
            known is not None and np.array_equal(known.pixels, self.decoded(position))
            for position, known in enumerate(found)
        )

    def drop_pages(self) -> None:
        """Let the system forget what it holds of the cache's files."""
        for path in self.directory.glob("*.pixels"):
            file = os.open(path, os.O_RDONLY)
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)

    def _timed(self, work: Callable[[int], object]) -> float:
        clock = time.perf_counter()
        for position in range(len(self.paths)):
            work(position)
        return (time.perf_counter() - clock) / len(self.paths) * 1e3


def measured(work: Work, rounds: int) -> list[dict[str, Any]]:
    """All lines."""
    times: dict[str, list[float]] = {}
    for number in range(rounds):
        times.setdefault("plain", []).append(work.plain())
        for kind in ("memory", "disk"):
            name = str(number)
            times.setdefault(f"{kind} cache, first pass", []).append(work.cold(kind, name))
            times.setdefault(f"{kind} cache, second pass", []).append(work.warm(kind, name))
        work.drop_pages()
        times.setdefault("disk cache, pages dropped", []).append(work.warm("disk", name))
    plain = min(times.pop("plain"))
    agree = {kind: work.agree(kind, "0") for kind in ("memory", "disk")}
    return [
        {
            "work": f"{len(work.paths)} pictures, {how}, against decoding",
            "ours": round(min(found), 4),
            "theirs": round(plain, 4),
            "unit": "ms per picture",
            "ratio": round(plain / min(found), 2),
            "agree": agree[how.split()[0]],
        }
        for how, found in times.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, help="for the files; else a temporary one")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    paths = first_pictures(arguments.pictures, arguments.count)
    with tempfile.TemporaryDirectory(dir=arguments.directory) as scratch:
        rows = measured(Work(paths, Path(scratch)), arguments.rounds)
    for row in rows:
        print(row)
    if arguments.json:
        write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
