from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from oodbench.data.clips import write_clip

Frame = NDArray[np.uint8]


def decoded(path: Path) -> list[Frame]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def ramp_frames(count: int) -> Iterator[Frame]:
    """Smooth frames, each a little brighter, with distinct means in the three channels."""
    ramp = np.linspace(0, 60, 64)[None, :, None] + np.array([20, 60, 100])
    for index in range(count):
        yield np.broadcast_to(ramp + 2 * index, (48, 64, 3)).astype(np.uint8)


def test_frames_come_back_in_order_number_and_colour(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "clip.mp4"
    write_clip(ramp_frames(31), path)
    found = decoded(path)
    assert len(found) == 31
    for original, frame in zip(ramp_frames(31), found, strict=True):
        assert frame.shape == (48, 64, 3)
        # Means of the channels survive lossy compression; swapped channels would be 40 apart.
        assert np.abs(original.mean((0, 1)) - frame.mean((0, 1))).max() < 4


def test_it_is_an_h264_yuv420p_clip_of_one_frame_a_second(tmp_path: Path) -> None:
    write_clip(ramp_frames(3), tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        (stream,) = container.streams
        assert isinstance(stream, av.VideoStream)
        assert "mp4" in container.format.name
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.average_rate, stream.frames) == (1, 3)


def test_bytes_are_the_same_every_time_and_made_by_one_thread(tmp_path: Path) -> None:
    for name in ("first.mp4", "second.mp4"):
        write_clip(ramp_frames(5), tmp_path / name)
    first = (tmp_path / "first.mp4").read_bytes()
    assert first == (tmp_path / "second.mp4").read_bytes()
    # x264 notes its settings in the stream: with the default, the number of cores would be there.
    assert b" threads=1 lookahead_threads=1 " in first


def test_an_error_or_ctrl_c_while_frames_are_made_leaves_no_file(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Frame]:
        yield from ramp_frames(3)
        raise KeyboardInterrupt

    (tmp_path / "clip.mp4").write_bytes(b"the older file")
    with pytest.raises(KeyboardInterrupt):
        write_clip(interrupted(), tmp_path / "clip.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    assert (tmp_path / "clip.mp4").read_bytes() == b"the older file"


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "at least one frame"),
        ([np.zeros((48, 64), np.uint8)], r"found \(48, 64\)"),
        ([np.zeros((47, 64, 3), np.uint8)], r"even H and W, found \(47, 64, 3\)"),
        ([np.zeros((48, 64, 3), np.float32)], "found float32"),
        ([np.zeros((48, 64, 3), np.uint8), np.zeros((64, 48, 3), np.uint8)], r"\(64, 48, 3\)"),
    ],
)
def test_wrong_frames_are_refused(tmp_path: Path, frames: list[Frame], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_clip(frames, tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []
