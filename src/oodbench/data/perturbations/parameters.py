"""Names and parameters of the perturbations, and the random stream of each clip.

Nothing here needs OpenCV, so that one can tell without it what there is to make.
"""

from typing import Any

from numpy.random import Generator

from oodbench.data.clips import Encoder
from oodbench.data.corruptions.parameter_table import ParameterTable
from oodbench.data.corruptions.parameters import stream

_TABLE = ParameterTable("oodbench.data.perturbations", "sequences.yaml", "perturbation")


def names() -> list[str]:
    """The ten test perturbations in the paper's order, then the four validation ones."""
    return _TABLE.names()


def checked_name(perturbation: str) -> str:
    """Return the name of a perturbation.

    Raises:
        ConfigError: it is none of the perturbations, which are listed.
    """
    return _TABLE.checked_name(perturbation)


def parameters(perturbation: str) -> dict[str, Any]:
    """Keyword arguments of a perturbation's function.

    Raises:
        ConfigError: unknown perturbation.
    """
    entry = _TABLE.entry(perturbation)
    return {name: value for name, value in entry.items() if name not in ("set", "encoder")}


def published_frames(perturbation: str) -> int | None:
    """Frames of a published clip, None for what is none of the perturbations."""
    return int(_TABLE.entry(perturbation)["frames"]) if perturbation in names() else None


def encoder(perturbation: str) -> Encoder:
    """How its clips are encoded.

    Raises:
        ConfigError: unknown perturbation.
    """
    options = {name: str(value) for name, value in _TABLE.entry(perturbation)["encoder"].items()}
    return Encoder(pix_fmt=options.pop("pix_fmt"), options=options)


def clip_stream(seed: int, perturbation: str, name: str) -> Generator:
    """Random numbers that depend on these three alone, so that one clip can be made again.

    Args:
        seed: of the whole data set.
        perturbation: name of the perturbation.
        name: of the clean picture, the same on every machine.

    Returns:
        `oodbench.data.corruptions.parameters.stream` of "<seed>:<perturbation>:<name>".
    """
    return stream(f"{seed}:{perturbation}:{name}")


def parameters_hash() -> str:
    """sha256 of all the parameters, the encoder's included."""
    return _TABLE.sha256()
