"""Reading pictures from containers against reading them from a folder: bytes, then pixels.

Packs the first pictures of a folder with the libraries that define the formats, then reads them
from each container in a random order, on one thread: `read` is the bytes alone, `load` decodes
and preprocesses, `listing` is what a run does before, with the index of the container in the cache.
Milliseconds of the processor per picture, the best of several rounds; `ours` is the container,
`theirs` the folder. Of Parquet files larger than what stays in memory most pictures are read with
their whole row group: `parquet, none kept`.

    python measurements/containers.py --pictures /data/imagenet/val --json containers.json
"""

import argparse
import csv
import os
import random
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import webdataset
from first_pictures import first_pictures

from oodbench.core.files import write_json
from oodbench.data.containers import parquet_files
from oodbench.data.containers.opened import forget
from oodbench.data.containers.parquet_files import KEPT_BYTES
from oodbench.data.file_names import PICTURE_SUFFIXES
from oodbench.data.listing import list_folders, round_robin, summarise
from oodbench.data.pictures import load_picture
from oodbench.data.read_files import read_file
from oodbench.preprocessing import Preprocessing
from oodbench.reference import imagenet_wnids

NONE_KEPT = "parquet, none kept"

Work = Callable[[Path, Sequence[str]], object]


def pack(paths: Sequence[Path], out: Path) -> dict[str, Path]:
    """The containers, by kind."""
    index = {wnid: number for number, wnid in enumerate(imagenet_wnids())}
    folder = out / "folder"
    for path in paths:
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        (folder / path.parent.name / path.name).write_bytes(path.read_bytes())
    copies = sorted(folder.glob("*/*"))
    with zipfile.ZipFile(out / "stored.zip", "w") as stored:
        for path in copies:
            stored.write(path, path.relative_to(folder))
    with zipfile.ZipFile(out / "deflated.zip", "w", zipfile.ZIP_DEFLATED) as deflated:
        for path in copies:
            deflated.write(path, path.relative_to(folder))
    with tarfile.open(out / "all.tar", "w") as archive:
        archive.add(folder, ".")
    (out / "shards").mkdir()
    with webdataset.ShardWriter(str(out / "shards/%04d.tar"), maxcount=100, verbose=0) as shards:
        for path in copies:
            wnid = path.parent.name
            key = f"{wnid}/{path.stem}"
            shards.write({"__key__": key, path.suffix[1:]: path.read_bytes(), "cls": index[wnid]})
    with (out / "list.csv").open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerows([("path", "label"), *((p, index[p.parent.name]) for p in copies)])
    wnids = sorted({path.parent.name for path in copies})
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=wnids)}
    columns = {
        "image": [{"bytes": path.read_bytes(), "path": path.name} for path in copies],
        "label": [wnids.index(path.parent.name) for path in copies],
    }
    data = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    data.save_to_disk(str(out / "arrow"))
    (out / "parquet").mkdir()
    # Row groups of 100 pictures, as on the hub.
    data.to_parquet(str(out / "parquet/validation-00000-of-00001.parquet"), batch_size=100)
    kinds = ("stored.zip", "deflated.zip", "all.tar", "shards", "arrow", "parquet", "list.csv")
    return {"folder": folder, **{kind: out / kind for kind in kinds}, NONE_KEPT: out / "parquet"}


def read(root: Path, names: Sequence[str]) -> list[int]:
    """The bytes alone."""
    return [len(read_file(root / name)) for name in names]


def load(root: Path, names: Sequence[str]) -> None:
    """Decode, resize 256, crop 224."""
    finish = Preprocessing(resize=256, crop=224)
    for name in names:
        finish(load_picture(root / name)[0])


def listing(root: Path, names: Sequence[str]) -> object:
    """As a process that begins."""
    forget()
    return summarise(list_folders(root, PICTURE_SUFFIXES))


def milliseconds(work: Work, root: Path, names: Sequence[str], rounds: int) -> float:
    """A picture."""
    best = float("inf")
    for _ in range(rounds):
        clock = time.process_time()
        work(root, names)
        best = min(best, time.process_time() - clock)
    return best / len(names) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        os.environ["OODBENCH_CACHE"] = f"{place}/cache"
        found = pack(first_pictures(arguments.pictures, arguments.count), Path(place))
        folder = found.pop("folder")
        names = [
            f"{file.folder}/{file.name}"
            for file in round_robin(list_folders(folder, PICTURE_SUFFIXES))
        ]
        random.Random(0).shuffle(names)
        for work in (listing, read, load):
            theirs = milliseconds(work, folder, names, arguments.rounds)
            for kind, root in found.items():
                parquet_files.KEPT_BYTES = 1 if kind == NONE_KEPT else KEPT_BYTES
                same = listing(root, names) == listing(folder, names) and all(
                    read_file(root / name) == read_file(folder / name) for name in names
                )
                ours = milliseconds(work, root, names, arguments.rounds)
                rows.append(
                    {
                        "work": f"{work.__name__}: {kind} against a folder",
                        "ours": round(ours, 4),
                        "theirs": round(theirs, 4),
                        "unit": "ms per picture",
                        "ratio": round(theirs / ours, 2),
                        "agree": same,
                    }
                )
                print(rows[-1])
    if arguments.json:
        write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
