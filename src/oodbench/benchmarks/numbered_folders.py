"""Class folders named by class index, as the archives of ImageNet-V2 have them."""

import logging
from pathlib import Path

from PIL import Image

from oodbench.benchmarks.folder import FolderBenchmark, wnid_folders
from oodbench.core.errors import DataError
from oodbench.data.listing import PICTURE_SUFFIXES, Folder, folder_names, list_folders
from oodbench.data.pictures import load_picture
from oodbench.reference import imagenet_wnids

log = logging.getLogger(__name__)


class NumberedFolders(FolderBenchmark):
    """As `FolderBenchmark`, for trees whose folders are called 0 to 999.

    The label is the number itself: sorted as text, 10 would come before 2, and nearly all labels
    would be wrong. Items are named `<synset id>/<file>`, so that the tree as it was unpacked and
    the same tree sorted into folders of synset ids are one data set with the same runs.
    """

    def folder_names(self, root: Path) -> list[str]:
        """Class folders on disk that are read, in the order of their classes.

        Raises:
            DataError: root is missing or flat, or some folders are neither numbers from 0 to 999
                nor, all of them, synset ids.
        """
        numbers = _numbers(root)
        if numbers is None:
            return wnid_folders(root, self.classes)
        kept = [name for index, name in sorted(numbers.items()) if self._reads(index)]
        if not kept:
            raise DataError(
                f"{root}: none of the benchmark's {len(self.classes)} classes; "
                f"{len(numbers)} others"
            )
        if len(kept) < len(numbers):
            log.info(
                "%s: %d folders outside the benchmark's classes left out",
                *(root, len(numbers) - len(kept)),
            )
        return kept

    def class_folders(self, root: Path) -> list[Folder]:
        """Their files, by synset id and in its order."""
        numbers = _numbers(root)
        if numbers is None:
            return super().class_folders(root)
        wnids = {name: imagenet_wnids()[index] for index, name in numbers.items()}
        found = list_folders(root, PICTURE_SUFFIXES, among=frozenset(self.folder_names(root)))
        return sorted(
            (Folder(wnids[folder.name], folder.files) for folder in found),
            key=lambda folder: folder.name,
        )

    def file_of(self, path: Path) -> Path:
        """The file of an item; `path` is `<root>/<synset id>/<file>`."""
        if path.parent.is_dir():
            return path
        root, index = path.parents[1], imagenet_wnids().index(path.parent.name)
        if (usual := root / str(index) / path.name).exists():
            return usual
        return root / (_numbers(root) or {}).get(index, path.parent.name) / path.name

    def load(self, path: Path) -> list[Image.Image]:
        """The decoded picture, RGB; `path` as for `file_of`."""
        return load_picture(self.file_of(path))

    def _reads(self, index: int) -> bool:
        return imagenet_wnids()[index] in self.classes


def _numbers(root: Path) -> dict[int, str] | None:
    """The folders of a tree by their number; None where no folder is called by a number.

    Raises:
        DataError: some are and some are not, one is no class index, or two are the same one.
    """
    names = folder_names(root)
    if not any(name.isdecimal() for name in names):
        return None
    found: dict[int, str] = {}
    for name in names:
        index = int(name) if name.isdecimal() else -1
        if not 0 <= index < len(imagenet_wnids()):
            raise DataError(
                f"{root / name}: not a class index from 0 to 999, as the other folders are named "
                "by; unpack the archive again, and point benchmark.root at its folder"
            )
        if index in found:
            raise DataError(f"{root}: {found[index]} and {name} are the same class: remove one")
        found[index] = name
    return found
