"""The corruptions need the extra `corruptions`: without OpenCV none of their modules imports."""

from importlib.util import find_spec

import numpy as np
import pytest

collect_ignore_glob = ["test_*.py"] if find_spec("cv2") is None else []


@pytest.fixture
def picture() -> np.ndarray:
    """A small picture `(40, 48, 3)` of colours with grain and a hard edge."""
    y, x = np.mgrid[0:40, 0:48]
    channels = [120 + 2 * y - x, 40 + 4 * x, 180 - 2 * x - y]
    grain = np.random.RandomState(4).randint(-9, 10, (40, 48, 3))
    made = (np.stack(channels, axis=-1) + grain).clip(0, 255).astype(np.uint8)
    made[12:20, 10:30, 0] += 90
    return made
