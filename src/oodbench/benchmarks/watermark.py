"""ImageNet-W: a watermark over the validation pictures (Li et al. 2023, A Whac-A-Mole Dilemma)."""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from oodbench.benchmarks.base import Split
from oodbench.benchmarks.derived import top1_drop
from oodbench.benchmarks.folder import FolderBenchmark
from oodbench.benchmarks.second_run import FinishedRun, Normaliser, SecondRun
from oodbench.core.errors import ConfigError
from oodbench.core.extras import install_extra
from oodbench.metrics.score import Score

TEXT = "捷径捷径捷径"
FONT = ("imagenet_w", "fonts/SourceHanSerifSC-ExtraLight.otf")
"""Package that ships it, and where; the package is not imported."""

OPACITY = 128
"""Of the white text, of 255: one half."""

PLACE = (0.01, 0.4)
"""Of the text's upper left corner, as shares of width and height."""

FONT_SIZES = {224: 36, 384: 62, 512: 82, 518: 84}
"""By side of the picture, in pixels; of others the side divided by `OTHER_SIDES`."""

OTHER_SIDES = 6.22


class Watermarked(FolderBenchmark):
    """The pictures as a model sees them, with white half-transparent text laid over.

    Text, font, place and sizes are those of the authors' package imagenet-w, `AddWatermark`. The
    text is in pictures of the training class carton, 478.
    """

    clean_benchmark = "imagenet"
    second_run = SecondRun(("top1_drop",), benchmark=clean_benchmark, version=2)

    def splits(self) -> Sequence[Split]:
        """The one split, once the font is there.

        Raises:
            ConfigError: the package with the font is not installed.
            DataError: see `FolderBenchmark.splits`.
        """
        _font(min(FONT_SIZES))
        return super().splits()

    def finish(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The preprocessed picture, uint8 `(H, W, 3)`, with the mark.

        Raises:
            ConfigError: the package with the font is not installed.
        """
        picture = Image.fromarray(pixels).convert("RGBA")
        layer = Image.new("RGBA", picture.size, (255, 255, 255, 0))
        corner = PLACE[0] * picture.width, PLACE[1] * picture.height
        ImageDraw.Draw(layer).text(
            corner, TEXT, fill=(255, 255, 255, OPACITY), font=_font(picture.width)
        )
        return np.asarray(Image.alpha_composite(picture, layer).convert("RGB"))

    @classmethod
    def derived(
        cls, run: FinishedRun, others: Sequence[FinishedRun], given: Normaliser | None
    ) -> dict[str, Score]:
        """How much accuracy the mark costs, against the model's clean run."""
        return {"top1_drop": top1_drop(run, others, cls.clean_benchmark)}


@cache
def _font(side: int) -> ImageFont.FreeTypeFont:
    package, file = FONT
    spec = find_spec(package)
    for place in (spec and spec.submodule_search_locations) or ():
        if (path := Path(place) / file).is_file():
            return ImageFont.truetype(path, FONT_SIZES.get(side, int(side / OTHER_SIDES)))
    raise ConfigError(
        "the font of the watermark comes with the package imagenet-w: "
        + install_extra("imagenet-w")
    )
