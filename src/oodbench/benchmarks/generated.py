"""ImageNet-C made while loading: the corruptions applied to the clean validation pictures."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from oodbench.benchmarks.base import Split
from oodbench.benchmarks.folder import tree_below
from oodbench.benchmarks.generated_source import generated_splits
from oodbench.benchmarks.trees import ImageNetC
from oodbench.core.errors import ConfigError
from oodbench.data.corruptions.parameters import (
    checked_name,
    parameters_hash,
    picture_stream,
    stream_name,
)
from oodbench.metrics.corruption import TEST_CORRUPTIONS
from oodbench.reference import SEVERITIES


class ImageNetCGenerated(ImageNetC):
    """The corruptions of ImageNet-C, made from clean pictures without writing files.

    Scored as ImageNet-C is, under a name of its own: the random draws are not the official ones.
    With JPEG quality 85 the pictures are those that `oodbench-data corrupt` writes with the same
    seed.

    Args:
        root: folder of the class folders with clean pictures, or one of `inside` that holds them.
        n_expected: official number of clean pictures.
        corruptions: names, of the 15 test corruptions and the 4 others.
        seed: with a picture's name, corruption and severity, the source of all randomness.
        jpeg_quality: of the round trip through a JPEG file that the published files went through;
            None for none.
        inside: folders below root where archives put the class folders.

    Raises:
        ConfigError: an unknown corruption, or a quality that JPEG does not have.
    """

    def __init__(
        self,
        *,
        root: str,
        n_expected: int,
        corruptions: Sequence[str] = TEST_CORRUPTIONS,
        seed: int = 0,
        jpeg_quality: int | None = 85,
        inside: Sequence[str] = (),
    ) -> None:
        super().__init__(root=root, n_expected=n_expected)
        if jpeg_quality is not None and not 1 <= jpeg_quality <= 95:
            raise ConfigError(
                f"benchmark.protocol.jpeg_quality={jpeg_quality}: give 1 to 95, or null for pixels "
                "that never were a file"
            )
        self.corruptions = [checked_name(name) for name in corruptions]
        self.seed = seed
        self.jpeg_quality = jpeg_quality
        self.source = tree_below(self.root, inside)

    def splits(self) -> Sequence[Split]:
        """`<corruption>/<severity>` of every corruption that is asked for.

        Raises:
            DataError: the clean pictures are missing, or not in synset folders.
        """
        cells = [f"{name}/{level}" for name in self.corruptions for level in SEVERITIES]
        return generated_splits(
            self.source, cells, self.n_expected, parameters_hash(), TEST_CORRUPTIONS
        )

    def missing_splits(self) -> Sequence[str]:
        """Cells of the 15 test corruptions that are not asked for."""
        return [
            f"{name}/{severity}"
            for name in TEST_CORRUPTIONS
            for severity in SEVERITIES
            if name not in self.corruptions
        ]

    def file_of(self, path: Path) -> Path:
        """The clean picture that a corrupted one is made from; `path` as for `load`."""
        wnid, name = PurePosixPath(path.relative_to(self.source)).parts[2:]
        return self.source / wnid / name

    def load(self, path: Path) -> list[Image.Image]:
        """The corrupted picture, RGB 224x224.

        Args:
            path: `<source>/<corruption>/<severity>/<wnid>/<file>`, of which the two folders in the
                middle do not exist on disk.

        Raises:
            DataError: the clean picture cannot be read, by name.
            ConfigError: OpenCV or the textures of frost are not installed.
        """
        from oodbench.data.corruptions.files import clean_picture, encoded
        from oodbench.data.corruptions.registry import corrupt

        corruption, level, wnid, name = PurePosixPath(path.relative_to(self.source)).parts
        severity = int(level)
        rng = picture_stream(self.seed, corruption, severity, stream_name(wnid, name))
        made = corrupt(clean_picture(self.file_of(path)), corruption, severity, rng)
        if self.jpeg_quality is not None:
            made = np.asarray(Image.open(BytesIO(encoded(made, self.jpeg_quality))))
        return [Image.fromarray(made)]
