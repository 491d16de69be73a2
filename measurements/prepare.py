"""Seconds of `oodbench-data prepare` on a flat tar of 50,000 files, and of the program tar on it.

Also with a sum to compare, resumed when everything but the last step is done, found done, and the
decryption of a zip by Python alone and by fast-zip-decryption. Needs 1 GB below --work.

    python measurements/prepare.py --json prepare.json
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from oodbench.core.files import digest, write_json
from oodbench.data.archives.placing import How
from oodbench.data.archives.prepare import prepare
from oodbench.data.archives.request import Request
from oodbench.data.sets.facts import DataSet, data_sets

COUNT = 50_000
SIZE = 8_000
ENCRYPTED = 20_000_000


def write_archive(path: Path) -> None:
    """Files with the names of the validation pictures."""
    with tarfile.open(path, "w") as tar:
        for number in range(1, COUNT + 1):
            entry = tarfile.TarInfo(f"ILSVRC2012_val_{number:08d}.JPEG")
            entry.size = SIZE
            tar.addfile(entry, io.BytesIO(os.urandom(SIZE)))


def facts(path: Path) -> DataSet:
    """Those of the validation set, with the size and sum of this archive."""
    found = data_sets()["imagenet_val"]
    archive = replace(
        found.archives[0], bytes=path.stat().st_size, sha256=digest(path, "sha256"), md5=None
    )
    return replace(found, archives=[archive])


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def unpack(archive: Path, folder: Path) -> None:
    """With the program tar, and its sum by sha256sum."""
    folder.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
    subprocess.run(["sha256sum", archive], check=True, stdout=subprocess.DEVNULL)
    os.sync()


def decrypted(path: Path, n: int) -> float:
    """MB a second, from the first `n` bytes."""
    with zipfile.ZipFile(path) as archive, archive.open("random", pwd=b"password") as file:
        return n / 1e6 / seconds(lambda: file.read(n))


def row(work: str, ours: float, theirs: float, unit: str, agree: bool) -> dict[str, Any]:
    ratio = ours / theirs if unit != "s" else theirs / ours
    return {
        "work": work,
        "ours": round(ours, 2),
        "theirs": round(theirs, 2),
        "unit": unit,
        "ratio": round(ratio, 2),
        "agree": agree,
    }


def preparing(work: Path) -> list[dict[str, Any]]:
    """Against tar and sha256sum."""
    archive = work / "ILSVRC2012_img_val.tar"
    write_archive(archive)
    request = Request(
        data_set=facts(archive),
        given=[archive],
        root=work / "data",
        how=How.COPY,
        verify=True,
        password=bytes,
        benchmark="imagenet",
    )
    first = seconds(lambda: prepare(request))
    theirs = seconds(lambda: unpack(archive, work / "tar"))
    again = seconds(lambda: prepare(request))
    place = request.place
    whole = sum(1 for _ in place.rglob("*.JPEG")) == COUNT
    # As if it had been killed before the archive was noted as done: all is compared.
    stage = place.with_name(f".{place.name}.preparing")
    stage.mkdir()
    (place / ".prepared.json").unlink()
    place.rename(stage / archive.name)
    stat = archive.stat()
    note = [str(archive.resolve()), stat.st_size, stat.st_mtime_ns]
    write_json(stage / f".{archive.name}.source.json", note)
    resumed = seconds(lambda: prepare(request))
    return [
        row(
            f"prepare {COUNT} files, {SIZE} bytes each; tar and sha256sum",
            first,
            theirs,
            "s",
            whole,
        ),
        row("the same, resumed when all is written", resumed, theirs, "s", whole),
        row("the same, done already", again, theirs, "s", whole),
    ]


def decrypting(work: Path) -> list[dict[str, Any]]:
    """fast-zip-decryption against zipfile alone."""
    (work / "random").write_bytes(os.urandom(ENCRYPTED))
    line = ["zip", "-q", "-j", "-P", "password", work / "encrypted.zip", work / "random"]
    subprocess.run(line, check=True)
    theirs = decrypted(work / "encrypted.zip", ENCRYPTED // 10)
    import fast_zip_decryption  # noqa: F401

    ours = decrypted(work / "encrypted.zip", ENCRYPTED)
    return [row("decrypting a zip", ours, theirs, "MB/s", True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, help="an empty folder to write in")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(dir=arguments.work))
    try:
        rows = preparing(work) + (decrypting(work) if shutil.which("zip") else [])
    finally:
        shutil.rmtree(work)
    for entry in rows:
        print(entry)
    if arguments.json:
        write_json(arguments.json, rows)


if __name__ == "__main__":
    sys.exit(main())
