"""Gaussian smoothing: a filter for pictures, a matrix for fields with mirrored borders."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from oodbench.data.corruptions.opencv import cv2
from oodbench.data.corruptions.pixels import Field, Picture


@lru_cache(maxsize=32)
def gaussian_kernel(sigma: float, truncate: float) -> NDArray[np.float64]:
    """Weights `(2 r + 1,)` that sum to 1, r = `truncate` sigma rounded, as in scipy.ndimage.

    Args:
        sigma: in pixels.
        truncate: in sigma.
    """
    radius = int(truncate * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel: NDArray[np.float64] = weights / weights.sum()
    return kernel


def smoothed(values: Field | Picture, sigma: float, truncate: float = 4.0) -> Field:
    """Smoothed floats, borders repeated: `skimage.filters.gaussian` with its defaults.

    Args:
        values: `(H, W)` or `(H, W, 3)`, uint8 or floats.
        sigma: in pixels.
        truncate: where the kernel is cut, in sigma.

    Returns:
        float64 for float64, else float32.
    """
    kernel = gaussian_kernel(sigma, truncate)
    depth = cv2.CV_64F if values.dtype == np.float64 else cv2.CV_32F
    made: Field = cv2.sepFilter2D(values, depth, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    return made


@lru_cache(maxsize=32)
def mirrored_matrix(length: int, sigma: float, truncate: float) -> NDArray[np.float64]:
    """Matrix `(length, length)` that smooths a column whose borders are mirrored.

    The mirror is between the pixels: … b a | a b …, again and again where the kernel is wider
    than the column. Source: scipy.ndimage's mode `reflect`.
    """
    kernel = gaussian_kernel(sigma, truncate)
    radius = len(kernel) // 2
    taps = np.arange(length)[:, None] + np.arange(-radius, radius + 1)
    taps %= 2 * length
    taps = np.minimum(taps, 2 * length - 1 - taps)
    matrix = np.zeros((length, length))
    np.add.at(matrix, (np.arange(length)[:, None], taps), kernel)
    return matrix


def smoothed_mirrored(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Smoothed field `(H, W)`, borders mirrored, cut at 3 sigma.

    Two matrix products, because elastic's widest kernel is four times as wide as the picture; in
    float64, so that the order in which a machine sums does not show in the pictures; by OpenCV,
    because NumPy's would start threads for them.
    """
    height, width = values.shape
    down = mirrored_matrix(height, sigma, 3.0)
    along = mirrored_matrix(width, sigma, 3.0)
    made: NDArray[np.float64] = cv2.gemm(
        cv2.gemm(down, values, 1, None, 0), along, 1, None, 0, flags=cv2.GEMM_2_T
    )
    return made
