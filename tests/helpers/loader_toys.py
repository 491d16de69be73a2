"""A benchmark whose items do what their names say when they are loaded."""

import logging
import os
import signal
import time
from pathlib import Path

import numpy as np
from PIL import Image

from oodbench.core.errors import DataError

SIDE = 8


class Behaving:
    """Loads `<behaviour>-<number>`; the pixels are the number."""

    def load(self, path: Path) -> list[Image.Image]:
        behaviour, number = path.name.split("-")
        if behaviour == "broken":
            raise DataError(f"{path}: broken")
        if behaviour == "bug":
            raise KeyError(number)
        if behaviour == "warning":
            logging.getLogger("loader_toys").warning("a picture is odd")
        if behaviour == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if behaviour == "slow":
            time.sleep(0.2)
        side = 2 * SIDE if behaviour == "large" else SIDE
        frames = 3 if behaviour == "clip" else 1
        return [Image.fromarray(np.full((side, side, 3), int(number), np.uint8))] * frames
