"""Tiny archives with the structure of the official ones, of generated pictures."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from oodbench.data.sets.facts import data_sets
from oodbench.reference import class_lists, imagenet_wnids, validation_labels

Files = Mapping[str, bytes]
"""Content of an archive's members by name; of a folder, whose name ends in `/`, nothing."""

PASSWORD = b"a password of a test"


@cache
def picture(seed: int, kind: str = "JPEG", size: int = 40) -> bytes:
    """A small file of blocks of colour."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((size, size), Image.Resampling.NEAREST).save(file, kind)
    return file.getvalue()


def validation_names(n: int) -> dict[str, int]:
    """The first `n` validation pictures: file name -> class index."""
    return {
        f"ILSVRC2012_val_{number:08d}.JPEG": label
        for number, label in enumerate(validation_labels()[:n], start=1)
    }


def write_tar(path: Path, files: Files, mode: str = "w") -> Path:
    """A tar archive, with the folders as members of their own."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            if name.endswith("/"):
                entry.type = tarfile.DIRTYPE
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def write_zip(path: Path, files: Files) -> Path:
    """A zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def imagenet_val(folder: Path, n: int = 30, devkit: bool = True) -> list[Path]:
    """The flat tar, and the devkit with other numbers for the classes than networks have."""
    files = {name: picture(number) for number, name in enumerate(validation_names(n))}
    made = [write_tar(folder / "ILSVRC2012_img_val.tar", files)]
    return [*made, write_devkit(folder)] if devkit else made


def write_devkit(folder: Path, labels: Sequence[int] | None = None) -> Path:
    """ILSVRC2012_devkit_t12.tar.gz: `ILSVRC2012_ID`s go by another order than class indices."""
    wnids = imagenet_wnids()
    ids = {wnid: number for number, wnid in enumerate(reversed(wnids), start=1)}
    rows = [(number, wnid) for wnid, number in ids.items()] + [(1001, "n00000001")]
    synsets = np.array(rows, dtype=[("ILSVRC2012_ID", "u2"), ("WNID", "O")]).reshape(-1, 1)
    meta = io.BytesIO()
    savemat(meta, {"synsets": synsets})
    truth = "".join(f"{ids[wnids[label]]}\n" for label in labels or validation_labels())
    top = "ILSVRC2012_devkit_t12"
    files = {
        f"{top}/": b"",
        f"{top}/readme.txt": b"Development kit\n",
        f"{top}/data/": b"",
        f"{top}/data/meta.mat": meta.getvalue(),
        f"{top}/data/ILSVRC2012_validation_ground_truth.txt": truth.encode(),
    }
    return write_tar(folder / "ILSVRC2012_devkit_t12.tar.gz", files, "w:gz")


def class_folders(top: str, wnids: Iterable[str], suffix: str = "jpg") -> dict[str, bytes]:
    """Two pictures of each class below a folder, and a README."""
    files = {f"{top}/": b"", f"{top}/README.txt": b"Cite us.\n"}
    for index, wnid in enumerate(wnids):
        for k in range(2):
            files[f"{top}/{wnid}/{k}_{index}.{suffix}"] = picture(10 * index + k)
    return files


def imagenet_a(folder: Path) -> list[Path]:
    files = class_folders("imagenet-a", class_lists()["imagenet_a"][:5])
    return [write_tar(folder / "imagenet-a.tar", files)]


def imagenet_r(folder: Path) -> list[Path]:
    files = class_folders("imagenet-r", class_lists()["imagenet_r"][:5])
    return [write_tar(folder / "imagenet-r.tar", files)]


def imagenet_o(folder: Path) -> list[Path]:
    files = class_folders("imagenet-o", class_lists()["imagenet_o"][:5], "JPEG")
    return [write_tar(folder / "imagenet-o.tar", files)]


def imagenet_sketch(folder: Path) -> list[Path]:
    files = {
        f"sketch/{wnid}/sketch_{k}.JPEG": picture(k + 100 * index)
        for index, wnid in enumerate(imagenet_wnids()[:5])
        for k in range(3)
    }
    return [write_zip(folder / "ImageNet-Sketch.zip", {"sketch/": b"", **files})]


CORRUPTIONS = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("frost", "snow", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    "extra": ("speckle_noise", "gaussian_blur", "spatter", "saturate"),
}
"""By archive, as the record of ImageNet-C lists them."""


def imagenet_c(folder: Path, archives: Iterable[str] = CORRUPTIONS) -> list[Path]:
    made = []
    for archive in archives:
        files = {}
        for name in CORRUPTIONS[archive]:
            for severity in range(1, 6):
                for number, (file, label) in enumerate(validation_names(2).items()):
                    path = f"{name}/{severity}/{imagenet_wnids()[label]}/{file}"
                    files[path] = picture(number + severity, size=224)
        made.append(write_tar(folder / f"{archive}.tar", files))
    return made


PERTURBATIONS = {
    "noise": ("gaussian_noise", "shot_noise"),
    "blur": ("motion_blur", "zoom_blur"),
    "weather": ("snow", "brightness"),
    "digital": ("translate", "rotate", "tilt", "scale"),
}


def imagenet_p(folder: Path, clip: bytes = b"a clip") -> list[Path]:
    made = []
    for archive, names in PERTURBATIONS.items():
        files = {
            f"{name}/{imagenet_wnids()[label]}/{Path(file).stem}.mp4": clip
            for name in names
            for file, label in validation_names(2).items()
        }
        made.append(write_tar(folder / f"{archive}.tar", files))
    return made


def imagenet_v2(folder: Path, variant: str) -> list[Path]:
    """Folders of class numbers, without padding; a plain tar that is called .tar.gz."""
    top = f"imagenetv2-{variant}-format-val"
    files = {
        f"{top}/{index}/{index:02x}{k}.jpeg": picture(index + k)
        for index in (0, 2, 10, 100, 999)
        for k in range(2)
    }
    return [write_tar(folder / f"imagenetv2-{variant}.tar.gz", {f"{top}/": b"", **files})]


def objectnet(folder: Path, password: bytes = PASSWORD) -> list[Path]:
    """Two folders with ImageNet classes and one without, encrypted as `zip -e` does."""
    top = "objectnet-1.0"
    files = {f"{top}/": b"", f"{top}/README": b"Do not tune on it.\n"}
    for index, name in enumerate(("alarm_clock", "backpack", "air_freshener")):
        for k in range(2):
            files[f"{top}/images/{name}/{index}{k}abcdef.png"] = picture(index + k, "PNG")
    return [write_encrypted_zip(folder / "objectnet-1.0.zip", files, password)]


def cue_conflict(folder: Path) -> list[Path]:
    return [write_tar(folder / "cue-conflict.tar.gz", stimuli("cue-conflict"), "w:gz")]


def stimuli(top: str) -> dict[str, bytes]:
    """Two shapes in each other's texture and in their own, twice."""
    names = [f"{s}{i}-{t}{i}" for s in ("cat", "dog") for t in ("cat", "dog") for i in (1, 2)]
    return {
        f"{top}/{name.rstrip('0123456789').split('-')[0].rstrip('0123456789')}/{name}.png": picture(
            number, "PNG", 224
        )
        for number, name in enumerate(names)
    }


OFFICIAL: dict[str, Callable[[Path], list[Path]]] = {
    "cue_conflict": cue_conflict,
    "imagenet_a": imagenet_a,
    "imagenet_c": imagenet_c,
    "imagenet_o": imagenet_o,
    "imagenet_p": imagenet_p,
    "imagenet_r": imagenet_r,
    "imagenet_sketch": imagenet_sketch,
    "imagenet_v2_matched_frequency": lambda folder: imagenet_v2(folder, "matched-frequency"),
    "imagenet_v2_threshold07": lambda folder: imagenet_v2(folder, "threshold0.7"),
    "imagenet_v2_topimages": lambda folder: imagenet_v2(folder, "top-images"),
    "imagenet_val": imagenet_val,
    "objectnet": objectnet,
}
"""By data set: makes its archives in a folder."""


def publish(monkeypatch: pytest.MonkeyPatch, data_set: str, made: Iterable[Path]) -> None:
    """Make the sizes and sums of archives the published ones."""
    archives = {archive.file: archive for archive in data_sets()[data_set].archives}
    for path in made:
        archive = archives[path.name]
        monkeypatch.setattr(archive, "bytes", path.stat().st_size)
        monkeypatch.setattr(archive, "sha256", sha256(path.read_bytes()).hexdigest())


def write_encrypted_zip(path: Path, files: Files, password: bytes) -> Path:
    """With the traditional encryption of PKZIP (APPNOTE.TXT, 6.1), which zipfile only reads."""
    index, local = b"", b""
    for name, content in files.items():
        crc, offset = zlib.crc32(content), len(local)
        folder = name.endswith("/")
        packed = b"" if folder else _encrypted(content, crc, password)
        flags = 0 if folder else 1
        sizes = struct.pack("<LLL", crc, len(packed), len(content))
        common = struct.pack("<HHHH", flags, 0, 0, 33) + sizes
        encoded = name.encode()
        local += b"PK\x03\x04" + struct.pack("<H", 20) + common
        local += struct.pack("<HH", len(encoded), 0) + encoded + packed
        index += b"PK\x01\x02" + struct.pack("<HH", 20, 20) + common
        index += struct.pack("<HHHHHLL", len(encoded), 0, 0, 0, 0, 0, offset) + encoded
    end = struct.pack("<HHHHLLH", 0, 0, len(files), len(files), len(index), len(local), 0)
    path.write_bytes(local + index + b"PK\x05\x06" + end)
    return path


def _encrypted(content: bytes, crc: int, password: bytes) -> bytes:
    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte: int) -> None:
        keys[0] = ~zlib.crc32(bytes([byte]), ~keys[0] & 0xFFFFFFFF) & 0xFFFFFFFF
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = ~zlib.crc32(bytes([keys[1] >> 24]), ~keys[2] & 0xFFFFFFFF) & 0xFFFFFFFF

    for byte in password:
        update(byte)
    encrypted = bytearray()
    for byte in bytes(11) + bytes([crc >> 24]) + content:
        mixed = keys[2] | 2
        encrypted.append(byte ^ (((mixed * (mixed ^ 1)) >> 8) & 0xFF))
        update(byte)
    return bytes(encrypted)


def gzipped(path: Path) -> Path:
    """The same archive, compressed, under the same name."""
    path.write_bytes(gzip.compress(path.read_bytes()))
    return path
