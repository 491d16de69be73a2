"""Folders of pictures packed by the libraries that define the formats, not by our own code."""

import csv
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from oodbench.reference import imagenet_wnids

Pack = Callable[[Path, Path], Path]
"""(folder of class folders, new folder) -> the container, in the new folder."""


def pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def index_of(wnid: str) -> int:
    return imagenet_wnids().index(wnid)


def as_zip(folder: Path, out: Path, method: int = zipfile.ZIP_STORED) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out / "val.zip", "w", method) as archive:
        for path in pictures(folder):
            archive.write(path, path.relative_to(folder))
    return out / "val.zip"


def as_deflated_zip(folder: Path, out: Path) -> Path:
    return as_zip(folder, out, zipfile.ZIP_DEFLATED)


def as_tar(folder: Path, out: Path) -> Path:
    """As `tar -C folder -cf val.tar .` does: names begin with ./ and folders have entries."""
    out.mkdir(parents=True, exist_ok=True)
    with tarfile.open(out / "val.tar", "w") as archive:
        archive.add(folder, ".")
    return out / "val.tar"


def as_shards(folder: Path, out: Path) -> Path:
    """Keys are `<wnid>/<stem>`, the ending is the file's own, the label a class index."""
    import webdataset

    out.mkdir(parents=True, exist_ok=True)
    with webdataset.ShardWriter(str(out / "val-%04d.tar"), maxcount=17, verbose=0) as writer:
        for path in pictures(folder):
            writer.write(
                {
                    "__key__": f"{path.parent.name}/{path.stem}",
                    path.suffix[1:]: path.read_bytes(),
                    "cls": index_of(path.parent.name),
                }
            )
    return out


def as_json_shards(folder: Path, out: Path) -> Path:
    """Keys are numbers; the name is a field of the JSON, as is the label."""
    import webdataset

    out.mkdir(parents=True, exist_ok=True)
    with webdataset.ShardWriter(str(out / "val-%04d.tar"), maxcount=17, verbose=0) as writer:
        for number, path in enumerate(pictures(folder)):
            name = path.relative_to(folder).as_posix()
            facts = {"filename": name, "label": index_of(path.parent.name)}
            writer.write({"__key__": f"s{number:07d}", "jpg": path.read_bytes(), "json": facts})
    return out


def dataset(paths: Sequence[Path], names: Sequence[str] | None, **columns: Any) -> Any:
    """Of Hugging Face, with the columns image and label; a picture has its file name.

    Args:
        names: of the classes by label, for a ClassLabel; None: labels are numbers alone.
        columns: further ones; one called label takes the place of it.
    """
    import datasets

    label: Any = (
        datasets.Value("int64") if names is None else datasets.ClassLabel(names=list(names))
    )
    listed = imagenet_wnids() if names is None else list(names)
    rows = {
        "image": [{"bytes": path.read_bytes(), "path": path.name} for path in paths],
        **({} if "label" in columns else {"label": [listed.index(p.parent.name) for p in paths]}),
        **columns,
    }
    of_type = {"image": datasets.Image(), **({} if "label" in columns else {"label": label})}
    more = {name: datasets.Value("string") for name in columns if name != "label"}
    if "label" in columns:
        kind = "string" if isinstance(columns["label"][0], str) else "int64"
        of_type["label"] = label if names is not None else datasets.Value(kind)
    return datasets.Dataset.from_dict(rows, features=datasets.Features({**of_type, **more}))


def class_folders(folder: Path) -> list[str]:
    return sorted({path.parent.name for path in pictures(folder)})


def as_arrow(folder: Path, out: Path) -> Path:
    dataset(pictures(folder), class_folders(folder)).save_to_disk(str(out), num_shards=2)
    return out


def as_parquet(folder: Path, out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    made = dataset(pictures(folder), class_folders(folder))
    half = len(made) // 2
    for number, part in enumerate([range(half), range(half, len(made))]):
        file = out / f"validation-{number:05d}-of-00002.parquet"
        made.select(part).to_parquet(str(file), batch_size=7)
    return out


def as_list(folder: Path, out: Path) -> Path:
    rows = [(str(path), index_of(path.parent.name)) for path in pictures(folder)]
    return write_list(out / "val.csv", ("path", "label"), rows)


def write_list(file: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(header)
        writer.writerows(rows)
    return file


def tar_of(file: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    """A tar file of any names."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file


PACKERS: dict[str, Pack] = {
    "zip": as_zip,
    "deflated zip": as_deflated_zip,
    "tar": as_tar,
    "shards": as_shards,
    "shards with json": as_json_shards,
    "arrow": as_arrow,
    "parquet": as_parquet,
    "list": as_list,
}
