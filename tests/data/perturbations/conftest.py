"""The perturbations need the extra `corruptions`, as the corruptions do."""

from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

collect_ignore_glob = ["test_*.py"] if find_spec("cv2") is None else []


@pytest.fixture
def whole() -> np.ndarray:
    """A picture `(256, 301, 3)` with edges, smooth parts, grain, black and white."""
    rng = np.random.RandomState(11)
    coarse = Image.fromarray(rng.randint(0, 256, (16, 19, 3)).astype(np.uint8))
    smooth = np.array(coarse.resize((301, 256), Image.Resampling.BICUBIC), int)
    smooth[60:120, 80:200] += rng.randint(-30, 31, (60, 120, 3))
    smooth[130:160, 90:130] = 0
    smooth[130:160, 150:190] = 255
    smooth[180:200, 100:180] = 128
    return smooth.clip(0, 255).astype(np.uint8)
