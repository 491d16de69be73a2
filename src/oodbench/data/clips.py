"""H.264 clips, the file format of ImageNet-P (Hendrycks and Dietterich, 2019)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oodbench.core.files import atomic_path
from oodbench.data.pyav import load_av

FRAMES_PER_SECOND = Fraction(1)
"""As in the published clips, whose frames are steps of a perturbation and not moments in time."""

# One thread: with more, x264 decides differently, and writes their number into the file.
# cpu-independent: without it the same frames gave different bytes from call to call (macroblock
# tree and B-frames, seen with libx264 of PyAV 18.1), and bytes may depend on the processor.
_SAME_BYTES = "threads=1:lookahead-threads=1:sliced-threads=0:cpu-independent=1"


@dataclass(frozen=True)
class Encoder:
    """Settings of libx264; quick ones, of small files, unless others are given.

    Attributes:
        pix_fmt: by ffmpeg's name; yuv420p has half the resolution in its colour planes.
        options: by ffmpeg's names, such as preset, crf and tune.
    """

    pix_fmt: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=lambda: {"preset": "veryfast", "crf": "20"})


def encode_clip(frames: Iterable[NDArray[np.uint8]], encoder: Encoder) -> bytes:
    """An mp4 file (H.264, one frame per second) of frames, the same bytes every time.

    Args:
        frames: RGB pictures in display order, each uint8 `(H, W, 3)`, all of one size, H and W
            even. Consumed one at a time.
        encoder: its settings.

    Raises:
        ValueError: there is no frame, or a frame has another dtype or shape.
        ConfigError: PyAV is not installed.
    """
    av = load_av()
    file = BytesIO()
    options = {**encoder.options, "x264-params": _SAME_BYTES}
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=options)
        stream.pix_fmt = encoder.pix_fmt
        stream.thread_count = 1
        shape: tuple[int, ...] | None = None
        for frame in frames:
            if shape is None:
                shape = _clip_shape(frame)
                stream.height, stream.width = shape[0], shape[1]
            if frame.dtype != np.uint8 or frame.shape != shape:
                raise ValueError(
                    f"expected uint8 frames {shape}, found {frame.dtype} {frame.shape}"
                )
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        if shape is None:
            raise ValueError("a clip needs at least one frame")
        container.mux(stream.encode(None))
    return file.getvalue()


def decode_clip(file: bytes) -> list[NDArray[np.uint8]]:
    """The frames of a clip, RGB, uint8 `(H, W, 3)`, in order.

    Raises:
        ConfigError: PyAV is not installed.
    """
    with load_av().open(BytesIO(file), "r") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [np.asarray(frame, np.uint8) for frame in frames]


def write_clip(
    frames: Iterable[NDArray[np.uint8]], path: Path, encoder: Encoder | None = None
) -> None:
    """Write frames as an mp4 file, atomically; `encode_clip` says how they are encoded.

    Args:
        frames: as there.
        path: the file to write; its folder is created if needed.
        encoder: None for the quick settings.

    Raises:
        ValueError: there is no frame, or a frame has another dtype or shape.
        ConfigError: PyAV is not installed.
    """
    clip = encode_clip(frames, encoder or Encoder())
    with atomic_path(path) as part:
        part.write_bytes(clip)


def _clip_shape(frame: NDArray[np.uint8]) -> tuple[int, ...]:
    shape = frame.shape
    if len(shape) != 3 or shape[2] != 3 or shape[0] % 2 or shape[1] % 2:
        raise ValueError(f"expected frames (H, W, 3) with even H and W, found {shape}")
    return shape
