"""Pictures made of integers alone, the same everywhere; also used by make_reference.py."""

import numpy as np
from numpy.typing import NDArray

SIDE = 224


def synthetic_pictures() -> NDArray[np.uint8]:
    """Two pictures `(2, 224, 224, 3)`: blocks of colour with grain; flat grey, black and white."""
    rng = np.random.RandomState(20190328)  # its streams are frozen
    blocks = rng.randint(-40, 296, size=(2, 8, 8, 3)).repeat(28, axis=1).repeat(28, axis=2)
    grain = rng.randint(-12, 13, size=blocks.shape)
    pictures = np.clip(blocks + grain, 0, 255).astype(np.uint8)
    pictures[:, 10:40, 30:90] = 90
    pictures[:, 60:80, 10:60] = 0
    pictures[:, 120:150, 150:200] = 255
    return pictures


def sampled_positions() -> NDArray[np.intp]:
    """Flat indices of 64 pixels of a picture, whose values are stored as reference."""
    return np.random.RandomState(7).randint(0, SIDE * SIDE, size=64).astype(np.intp)
