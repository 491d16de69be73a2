"""The 20 ImageNet pictures that the `foolbox` package ships, from which all demo data are made."""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from oodbench.core.errors import DataError
from oodbench.core.extras import install_extra
from oodbench.reference import imagenet_wnids

_CLASS_INDICES = (
    *(243, 559, 438, 990, 949, 853, 609, 609, 915, 455),
    *(541, 630, 741, 471, 129, 99, 251, 22, 317, 305),
)


@dataclass(frozen=True)
class Source:
    """One of the 20 pictures: `number` is 0..19, `label` its ImageNet class index."""

    number: int
    label: int

    @property
    def wnid(self) -> str:
        """Synset id of the class, the name of its folder."""
        return imagenet_wnids()[self.label]

    @property
    def file_name(self) -> str:
        """Name of the file in the foolbox package."""
        return f"imagenet_{self.number:02d}_{self.label}.jpg"

    @property
    def val_stem(self) -> str:
        """A validation file name without suffix; no real one has a number above 50,000."""
        return f"ILSVRC2012_val_{90_000_001 + self.number:08d}"

    @property
    def stream_name(self) -> str:
        """Class folder and validation file name, by which a picture gets its random numbers."""
        return f"{self.wnid}/{self.val_stem}"


SOURCES = tuple(Source(number, label) for number, label in enumerate(_CLASS_INDICES))


def sources_folder() -> Path:
    """Folder of the 20 pictures, found without importing foolbox.

    Raises:
        DataError: foolbox is not installed, or lacks some of the pictures.
    """
    spec = find_spec("foolbox")
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            "the demo data are made from pictures of the package foolbox, which is not installed: "
            + install_extra("demo")
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    for source in SOURCES:
        if not (folder / source.file_name).is_file():
            raise DataError(
                f"{folder / source.file_name} is missing: pip install --force-reinstall foolbox"
            )
    return folder


@cache
def open_source(path: Path) -> Image.Image:
    """The picture at `path` in RGB; cached, so do not change it in place."""
    with Image.open(path) as image:
        return image.convert("RGB")
