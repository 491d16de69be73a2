"""Pictures in the hue, saturation and value space."""

import numpy as np
from numpy.typing import NDArray

from oodbench.data.corruptions.opencv import cv2
from oodbench.data.corruptions.pixels import Picture

HSV = NDArray[np.float32]
"""`(H, W, 3)`: hue in degrees, saturation and value in [0, 1]; grey has hue 0, which is red."""


def to_hsv(picture: Picture) -> HSV:
    """Hue, saturation, value of an RGB picture."""
    hsv: HSV = cv2.cvtColor(picture * np.float32(1 / 255), cv2.COLOR_RGB2HSV)
    return hsv


_FULL = np.float32(255.0005)
"""Slightly more than 255: float32 falls short of whole numbers more often than the published code's
float64, and decimals are cut."""


def from_hsv(hsv: HSV) -> Picture:
    """RGB picture, decimals cut."""
    rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    rgb *= _FULL
    made: Picture = rgb.astype(np.uint8)
    return made
