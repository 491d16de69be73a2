"""Noise that is drawn again in every frame."""

from collections.abc import Callable, Iterator

from numpy.random import Generator

from oodbench.data.corruptions.pixels import Picture


def redrawn(
    noise: Callable[..., Picture],
    picture: Picture,
    rng: Generator,
    *,
    frames: int,
    **parameters: float,
) -> Iterator[Picture]:
    """First the clean picture, then the same picture under independent draws.

    Args:
        noise: one of `oodbench.data.corruptions.noise`.
        picture: uint8 `(H, W, 3)`.
        rng: drawn from in the order of the frames.
        frames: their number, the clean one included.
        parameters: of the noise.

    Yields:
        Frames uint8 `(H, W, 3)`.
    """
    yield picture
    for _ in range(1, frames):
        yield noise(picture, rng, **parameters)
