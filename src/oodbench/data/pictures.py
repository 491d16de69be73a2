"""Decode pictures and clips to RGB."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

from oodbench.core.errors import ConfigError, DataError, first_line
from oodbench.data.depth import converted
from oodbench.data.pyav import load_av
from oodbench.data.read_files import gone, read_file

Made = TypeVar("Made")


def load_picture(path: Path) -> list[Image.Image]:
    """The picture, converted to RGB as torchvision's ImageFolder does, see also `data.depth`.

    Pillow decodes: on its way to Pillow's resize no other decoder of equal pixels is faster, since
    theirs have to be copied once more (`measurements/decoding.py`). A picture that is RGB already
    is not copied either.

    Raises:
        DataError: the file is truncated or not a picture.
        DiskError: there is no such file any more, or its disk does not answer.
    """
    content = _content(path, "picture")
    try:
        with Image.open(BytesIO(content)) as picture:
            if picture.mode == "RGB" and "transparency" not in picture.info:
                picture.load()
                return [picture]
            return [converted(picture)]
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except UnidentifiedImageError as error:
        raise DataError(
            f"{path}: cannot be read as a picture: its bytes are of no known kind"
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read as a picture: {first_line(error)}") from error


def _content(path: Path, kind: str) -> bytes:
    try:
        return read_file(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise gone(error, path) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read as a {kind}: {first_line(error)}") from error


def prepared(picture: Image.Image, path: Path, transform: Callable[[Image.Image], Made]) -> Made:
    """What a transform makes of a picture.

    Args:
        picture: RGB.
        path: of its file.
        transform: see `oodbench.preprocessing`.

    Raises:
        DataError: the transform refuses the picture, by name.
    """
    try:
        return transform(picture)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def load_clip(path: Path, n_frames: int | None = None) -> list[Image.Image]:
    """All frames of a clip, RGB, in order.

    The decoder passes over what it cannot read, and fills in what is damaged from other frames.
    Neither is taken for the clip.

    Args:
        path: of the file.
        n_frames: that the clip has to have; None: as many as its table of contents says.

    Raises:
        DataError: the file is not a clip, is damaged, or has fewer than two frames or others than
            it should have.
        DiskError: there is no such file any more, or its disk does not answer.
        ConfigError: PyAV is not installed.
    """
    av = load_av()
    content = _content(path, "clip")
    try:
        with av.open(BytesIO(content)) as container:
            if not container.streams.video:
                raise DataError(f"{path}: no video in it; unpack the archive again")
            expected = n_frames or container.streams.video[0].frames
            frames: list[Image.Image] = []
            for frame in container.decode(video=0):
                if frame.is_corrupt:
                    raise DataError(f"{path}: frame {len(frames)} is damaged; get the file again")
                frames.append(Image.fromarray(frame.to_ndarray(format="rgb24")))
    except (av.FFmpegError, OSError) as error:
        raise DataError(f"{path}: cannot be read as a clip: {first_line(error)}") from error
    if len(frames) < 2:
        raise DataError(f"{path}: {len(frames)} frames; a clip needs at least 2")
    if expected and len(frames) != expected:
        of = f"a clip of {path.parent.parent.name} has" if n_frames else "the file says it has"
        raise DataError(f"{path}: {len(frames)} frames, and {of} {expected}; get the file again")
    return frames


def clip_decoder() -> str | None:
    """Name and version of the decoder, because H.264 decoders differ slightly.

    None where there is none, which only clips need.
    """
    try:
        av = load_av()
    except ConfigError:
        return None
    return (
        f"PyAV {av.__version__}, libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"
    )
