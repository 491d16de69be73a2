"""Names, severities and parameters of the corruptions, and the random stream of each picture.

Nothing here needs OpenCV, so that one can tell without it what there is to make.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

from numpy.random import PCG64, Generator

from oodbench.core.errors import ConfigError
from oodbench.data.corruptions.parameter_table import ParameterTable
from oodbench.reference import SEVERITIES

_TABLE = ParameterTable("oodbench.data.corruptions", "severities.yaml", "corruption")


def names() -> list[str]:
    """The 15 test corruptions in the paper's order, then the other four."""
    return _TABLE.names()


def parameters(corruption: str, severity: int) -> dict[str, Any]:
    """Keyword arguments of a corruption's function at a severity.

    Raises:
        ConfigError: unknown corruption or severity.
    """
    if severity not in SEVERITIES:
        raise ConfigError(f"severity {severity}: available: 1, 2, 3, 4, 5")
    return {
        name: values[severity - 1] if isinstance(values, list) else values
        for name, values in _TABLE.entry(corruption).items()
        if name != "archive"
    }


def checked_name(corruption: str) -> str:
    """Return the name of a corruption.

    Raises:
        ConfigError: it is none of the corruptions, which are listed.
    """
    return _TABLE.checked_name(corruption)


def picture_stream(seed: int, corruption: str, severity: int, name: str) -> Generator:
    """Random numbers that depend on these four alone, so that one picture can be made again.

    Args:
        seed: of the whole data set.
        corruption: name of the corruption.
        severity: 1 to 5.
        name: of the picture, the same on every machine.

    Returns:
        `stream` of "<seed>:<corruption>:<severity>:<name>".
    """
    return stream(f"{seed}:{corruption}:{severity}:{name}")


def stream(key: str) -> Generator:
    """PCG64 seeded with the first 16 bytes (big endian) of the key's sha256."""
    digest = sha256(key.encode("utf-8", "surrogateescape")).digest()
    return Generator(PCG64(int.from_bytes(digest[:16], "big")))


def parameters_hash() -> str:
    """sha256 of all the parameters."""
    return _TABLE.sha256()


def stream_name(class_name: str, source: str) -> str:
    """The name that determines a picture's random stream: class folder and name, without suffix."""
    return f"{class_name}/{Path(source).stem}"
