"""Names, severities and parameters of the corruptions, and the random stream of each picture.

Nothing here needs OpenCV: what is to be made is known without it.
"""

import json
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from numpy.random import PCG64, Generator
from omegaconf import OmegaConf

from oodbench.errors import ConfigError

SEVERITIES = (1, 2, 3, 4, 5)


def names() -> list[str]:
    """The 15 test corruptions in the paper's order, then the other four."""
    return list(_table())


def parameters(corruption: str, severity: int) -> dict[str, Any]:
    """Keyword arguments of a corruption's function at a severity.

    Raises:
        ConfigError: unknown corruption or severity.
    """
    if severity not in SEVERITIES:
        raise ConfigError(f"severity {severity}: available: 1, 2, 3, 4, 5")
    return {
        name: values[severity - 1] if isinstance(values, list) else values
        for name, values in _table()[checked_name(corruption)].items()
        if name != "archive"
    }


def checked_name(corruption: str) -> str:
    """The name itself.

    Raises:
        ConfigError: it is none of the corruptions, which are listed.
    """
    if corruption not in _table():
        raise ConfigError(f"unknown corruption {corruption}: available: {', '.join(_table())}")
    return corruption


def picture_stream(seed: int, corruption: str, severity: int, name: str) -> Generator:
    """Random numbers that depend on these four alone, so that one picture can be made again.

    Args:
        seed: of the whole data set.
        corruption: name of the corruption.
        severity: 1 to 5.
        name: of the picture, the same on every machine.

    Returns:
        PCG64 seeded with the first 16 bytes (big endian) of
        sha256("<seed>:<corruption>:<severity>:<name>").
    """
    key = f"{seed}:{corruption}:{severity}:{name}"
    digest = sha256(key.encode("utf-8", "surrogateescape")).digest()
    return Generator(PCG64(int.from_bytes(digest[:16], "big")))


def parameters_hash() -> str:
    """sha256 of all the parameters."""
    return sha256(json.dumps(_table(), sort_keys=True).encode()).hexdigest()


@cache
def _table() -> dict[str, dict[str, Any]]:
    text = files(__package__).joinpath("severities.yaml").read_text(encoding="utf-8")
    table: Any = OmegaConf.to_container(OmegaConf.create(text))
    return dict(table)
