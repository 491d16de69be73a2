"""Archives that would write elsewhere, or fill the disk, are refused with nothing written."""

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from official_archives import picture

from oodbench.core.errors import DataError
from oodbench.data.archives import limits
from oodbench.data.archives.placing import How
from oodbench.data.archives.prepare import prepare
from oodbench.data.archives.request import Request
from oodbench.data.sets.facts import data_sets

GOOD = "imagenet-a/n01498041/good.jpg"


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[str, Path, str], None]:
    """Prepare, expect the error, and nothing anywhere but the empty data root."""
    root = tmp_path / "deep" / "data"
    root.mkdir(parents=True)

    def check(name: str, archive: Path, message: str) -> None:
        before = sorted(tmp_path.rglob("*"))
        request = Request(
            data_set=data_sets()[name],
            given=[archive],
            root=root,
            how=How.COPY,
            verify=False,
            password=lambda: b"",
            benchmark=None,
        )
        with pytest.raises(DataError, match=message):
            prepare(request)
        after = [path for path in sorted(tmp_path.rglob("*")) if path.suffix != ".lock"]
        assert after == before

    return check


def tar_of(path: Path, *entries: tarfile.TarInfo, mode: str = "w") -> Path:
    """A good picture, then the entries."""
    good = tarfile.TarInfo(GOOD)
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for entry in (good, *entries):
            content = b""
            if entry.type == tarfile.REGTYPE:
                content = picture(0)
                entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def entry_of(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


NAMES = {
    "/etc/n01498041/x.jpg": "absolute path",
    "C:/n01498041/x.jpg": "absolute path",
    "../n01498041/x.jpg": "leads out of the folder",
    "imagenet-a/n01498041/../../../x.jpg": "leads out of the folder",
    "imagenet-a/n01498041/a\nb.jpg": "control character",
    "imagenet-a/n01498041/a\x1b[2Jb.jpg": "control character",
    "imagenet-a/n01498041/a\u2028b.jpg": "control character",
    "imagenet-a\\n01498041\\x.jpg": "backslash",
    "imagenet-a/n01498041/" + "x" * 300 + ".jpg": "too long a name",
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str, refused: Callable[[str, Path, str], None], tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "imagenet-a.tar", entry_of(name))
    refused("imagenet_a", archive, f"refused: the member .*{NAMES[name]}")


@pytest.mark.parametrize("name", NAMES)
def test_names_in_a_zip(
    name: str, refused: Callable[[str, Path, str], None], tmp_path: Path
) -> None:
    archive = tmp_path / "ImageNet-Sketch.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(GOOD, picture(0))
        entry = zipfile.ZipInfo("x")
        entry.filename = name
        file.writestr(entry, picture(1))
    refused("imagenet_sketch", archive, f"refused: the member .*{NAMES[name]}")


def test_name_with_a_nul_in_a_zip(
    refused: Callable[[str, Path, str], None], tmp_path: Path
) -> None:
    archive = tmp_path / "ImageNet-Sketch.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("sketch/n01440764/a_b.JPEG", picture(0))
    archive.write_bytes(archive.read_bytes().replace(b"a_b.JPEG", b"a\0b.JPEG"))
    refused("imagenet_sketch", archive, "refused: the member .*control character")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "pipe"),
        (tarfile.GNUTYPE_SPARSE, "sparse file|damaged"),
        (b"Z", "special file"),
    ],
)
def test_what_is_no_file(
    kind: bytes, message: str, refused: Callable[[str, Path, str], None], tmp_path: Path
) -> None:
    entry = entry_of("imagenet-a/n01498041/x.jpg", kind, "/etc/passwd")
    archive = tar_of(tmp_path / "imagenet-a.tar", entry, entry_of(f"{GOOD[:-8]}later.jpg"))
    refused("imagenet_a", archive, message)


def test_link_to_a_folder_and_a_file_through_it(
    refused: Callable[[str, Path, str], None], tmp_path: Path
) -> None:
    link = entry_of("imagenet-a/n01498041", tarfile.SYMTYPE, str(tmp_path))
    archive = tmp_path / "imagenet-a.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(link)
        through = entry_of("imagenet-a/n01498041/x.jpg")
        through.size = 4
        tar.addfile(through, io.BytesIO(b"evil"))
    refused("imagenet_a", archive, "refused: .*symbolic link")


def test_link_in_a_zip(refused: Callable[[str, Path, str], None], tmp_path: Path) -> None:
    archive = tmp_path / "ImageNet-Sketch.zip"
    with zipfile.ZipFile(archive, "w") as file:
        entry = zipfile.ZipInfo("sketch/n01440764/x.JPEG")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(entry, "/etc/passwd")
    refused("imagenet_sketch", archive, "refused: .*a link or a device")


@pytest.mark.parametrize("second", [GOOD, GOOD.replace("good", "GOOD"), f"again/{GOOD}"])
def test_two_members_of_one_name(
    second: str, refused: Callable[[str, Path, str], None], tmp_path: Path
) -> None:
    archive = tar_of(tmp_path / "imagenet-a.tar", entry_of(second))
    refused("imagenet_a", archive, "refused: a second file for the place n01498041/")


def test_member_that_states_gigabytes(
    refused: Callable[[str, Path, str], None], tmp_path: Path
) -> None:
    entry = entry_of("imagenet-a/n01498041/x.jpg")
    entry.size = 10**12
    archive = tmp_path / "imagenet-a.tar"
    archive.write_bytes(entry.tobuf() + bytes(1024))
    refused("imagenet_a", archive, "refused: .*more than any picture")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_header_that_states_gigabytes(
    kind: bytes, refused: Callable[[str, Path, str], None], tmp_path: Path
) -> None:
    """A long name or extended header would be read into memory whole."""
    entry = entry_of("imagenet-a/n01498041/x.jpg", kind)
    entry.size = 10**11
    archive = tmp_path / "imagenet-a.tar"
    archive.write_bytes(entry.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    refused("imagenet_a", archive, "refused: something in it would have")


@pytest.mark.parametrize("name", ["cue_conflict", "imagenet_sketch"])
def test_bombs(
    name: str,
    refused: Callable[[str, Path, str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SMALLEST_LIMIT", 10**6)
    zeros = bytes(10**6)
    if name == "imagenet_sketch":
        archive = tmp_path / "ImageNet-Sketch.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for k in range(9):
                file.writestr(f"sketch/n01440764/sketch_{k}.JPEG", zeros)
    else:
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as tar:
            for k in range(9):
                entry = entry_of(f"cue-conflict/cat/cat{k + 1}-dog1.png")
                entry.size = len(zeros)
                tar.addfile(entry, io.BytesIO(zeros))
        archive = tmp_path / "cue-conflict.tar.gz"
        archive.write_bytes(gzip.compress(plain.getvalue()))
    refused(name, archive, "refused: it unpacks to more than")


def test_bomb_after_the_end_of_the_archive(
    refused: Callable[[str, Path, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SMALLEST_LIMIT", 10**6)
    archive = tmp_path / "cue-conflict.tar.gz"
    archive.write_bytes(gzip.compress(bytes(10**7)))
    refused("cue_conflict", archive, "refused: it unpacks to more than")


def test_zip_whose_members_overlap(
    refused: Callable[[str, Path, str], None], tmp_path: Path
) -> None:
    """Of a member that is stated to be smaller than it is, no more than stated is unpacked."""
    archive = tmp_path / "ImageNet-Sketch.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("sketch/n01440764/sketch_0.JPEG", bytes(10**6))
    content = archive.read_bytes()
    archive.write_bytes(content.replace((10**6).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    refused("imagenet_sketch", archive, "damaged or no zip archive")
