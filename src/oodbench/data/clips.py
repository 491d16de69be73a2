"""H.264 clips, the file format of ImageNet-P (Hendrycks and Dietterich, 2019)."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from oodbench.files import atomic_path

FRAMES_PER_SECOND = Fraction(1)
"""As in the published clips, whose frames are steps of a perturbation and not moments in time."""

# One thread: x264 decides otherwise when it has more, and writes their number into the file.
# cpu-independent: without it the same frames gave other bytes from one call to the next (macroblock
# tree and B-frames, seen with libx264 of PyAV 18.1), and bytes may depend on the processor.
_ENCODER_OPTIONS = {
    "preset": "veryfast",
    "crf": "20",
    "x264-params": "threads=1:lookahead-threads=1:sliced-threads=0:cpu-independent=1",
}


def write_clip(frames: Iterable[NDArray[np.uint8]], path: Path) -> None:
    """Write frames as an mp4 (H.264, yuv420p, crf 20), atomically, with the same bytes every time.

    Args:
        frames: RGB pictures in display order, each uint8 `(H, W, 3)`, all of one size, H and W
            even (the colour planes have half the resolution). Consumed one at a time.
        path: the file to write; its folder is made where it is missing.

    Raises:
        ValueError: there is no frame, or a frame has another dtype or shape.
    """
    with atomic_path(path) as part, av.open(str(part), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=_ENCODER_OPTIONS)
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        shape: tuple[int, ...] | None = None
        for frame in frames:
            if shape is None:
                shape = _clip_shape(frame)
                stream.height, stream.width = shape[0], shape[1]
            if frame.dtype != np.uint8 or frame.shape != shape:
                raise ValueError(
                    f"{path.name}: expected uint8 frames {shape}, found {frame.dtype} {frame.shape}"
                )
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        if shape is None:
            raise ValueError(f"{path.name}: a clip needs at least one frame")
        container.mux(stream.encode(None))


def _clip_shape(frame: NDArray[np.uint8]) -> tuple[int, ...]:
    shape = frame.shape
    if len(shape) != 3 or shape[2] != 3 or shape[0] % 2 or shape[1] % 2:
        raise ValueError(f"expected frames (H, W, 3) with even H and W, found {shape}")
    return shape
