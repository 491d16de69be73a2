"""Clips as files: the published preparation and encoder settings."""

from pathlib import Path

from oodbench.data.clips import encode_clip
from oodbench.data.corruptions.pixels import Picture
from oodbench.data.perturbations.parameters import clip_stream, encoder
from oodbench.data.perturbations.registry import Frames, perturbed
from oodbench.data.pictures import load_picture, prepared
from oodbench.preprocessing import Preprocessing

_prepare = Preprocessing(resize=256)


def whole_picture(path: Path) -> Picture:
    """RGB `(H, W, 3)`, shorter side 256, bilinear.

    Raises:
        DataError: the file cannot be read, by name.
    """
    return prepared(load_picture(path)[0], path, _prepare)


def clip_frames(picture: Picture, perturbation: str, seed: int, name: str) -> Frames:
    """Frames of a picture's clip; `name` is what `stream_name` gives for the picture."""
    return perturbed(picture, perturbation, clip_stream(seed, perturbation, name))


def clip_file(picture: Picture, perturbation: str, seed: int, name: str) -> bytes:
    """The mp4 file of these frames."""
    return encode_clip(clip_frames(picture, perturbation, seed, name), encoder(perturbation))
