"""Seconds of `oodbench-data check` on a tree of 50,000 files, and with --deep on real pictures.

`theirs` is what a loader does with the same files: torchvision's ImageFolder lists the tree, and
opens every picture.

    python measurements/check.py --pictures /data/imagenet/val --json check.json
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from torchvision.datasets import ImageFolder

from oodbench.benchmarks.inspection.configs import shipped_config
from oodbench.benchmarks.inspection.inspect import Depth, inspect
from oodbench.core.files import write_json
from oodbench.reference import imagenet_wnids, validation_labels

T = TypeVar("T")


def write_tree(root: Path) -> None:
    """The validation set in its names, each file of a few bytes."""
    for number, label in enumerate(validation_labels(), start=1):
        folder = root / imagenet_wnids()[label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"ILSVRC2012_val_{number:08d}.JPEG").write_bytes(b"x")


def timed(action: Callable[[], T]) -> tuple[T, float]:
    """What it returns, and the seconds that it takes."""
    start = time.perf_counter()
    found = action()
    return found, time.perf_counter() - start


def row(work: str, ours: float, theirs: float, *, agree: bool) -> dict[str, Any]:
    print(f"{work}: ours {ours:.2f} s, theirs {theirs:.2f} s, {theirs / ours:.2f}")
    return {
        "work": work,
        "ours": round(ours, 3),
        "theirs": round(theirs, 3),
        "unit": "s",
        "ratio": round(theirs / ours, 2),
        "agree": agree,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["OODBENCH_CACHE"] = f"{folder}/cache"
        root = Path(folder) / "imagenet" / "val"
        write_tree(root)
        time.sleep(3)  # what changed a moment ago is not cached
        config = shipped_config("imagenet", Path(folder))
        for name in ("first", "again"):
            found, ours = timed(partial(inspect, config, root, Depth()))
            listed, theirs = timed(partial(ImageFolder, root))
            agree = found.good and found.n_files == len(listed)
            rows.append(row(f"50,000 files, {name}", ours, theirs, agree=agree))
        config.root = config.protocol["root"] = str(arguments.pictures)
        loader = ImageFolder(arguments.pictures)
        deep = Depth(decode=True, workers=os.cpu_count() or 1)
        for name in ("first", "again"):
            found, ours = timed(partial(inspect, config, root, deep))
            opened, theirs = timed(lambda: sum(1 for _ in loader))
            agree = found.n_files == opened
            rows.append(row(f"--deep, {opened} pictures, {name}", ours, theirs, agree=agree))
    if arguments.json is not None:
        write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
