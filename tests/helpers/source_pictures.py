"""A small clean data set with pictures of every kind, for what is generated from one."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image


def write_source(val: Path, picture: Callable[..., Image.Image]) -> Path:
    """Two classes; a big picture, a small one, CMYK, grey, and one with alpha.

    Args:
        val: the folder to make.
        picture: an RGB picture from a seed and, where given, its size.
    """
    for name in ("n01440764", "n01443537"):
        (val / name).mkdir(parents=True)
    picture(0).save(val / "n01440764" / "a.JPEG")
    picture(1, (60, 90)).save(val / "n01440764" / "small.png")
    picture(2).convert("CMYK").save(val / "n01443537" / "cmyk.jpg")
    picture(3).convert("L").save(val / "n01443537" / "grey.JPEG")
    with_alpha = picture(4)
    with_alpha.putalpha(99)
    with_alpha.save(val / "n01443537" / "alpha.png")
    return val
