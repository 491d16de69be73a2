"""What is known of a data set: where it comes from, what its archives hold, where it has to be."""

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from oodbench.core.errors import ConfigError, first_line


@dataclass
class Archive:
    """A file that the authors give out. A sum or size that no source has is null."""

    file: str = MISSING
    """Its name."""
    url: str | None = None
    """Where the authors have it."""
    mirrors: list[str] = field(default_factory=list)
    """The same file elsewhere."""
    bytes: int | None = None
    """Its size."""
    md5: str | None = None
    """Hexadecimal."""
    sha256: str | None = None
    """Hexadecimal."""
    optional: bool = False
    """Whether benchmarks do without it."""
    pictures: bool = True
    """Whether it holds pictures or clips; of other archives, an arrangement reads what it needs."""


@dataclass
class Checks:
    """What can be said of the files of a data set beforehand. Null is what cannot."""

    classes: str | None = None
    """List of `reference.class_lists` that has its class folders."""
    per_class: int | None = None
    """Files in each class folder, where all have as many."""
    size: list[int] | None = None
    """Height and width of every picture in pixels, where all have the same."""
    names: str | None = None
    """Row of `reference.known_names`, where the name of a file says its class."""


@dataclass
class DataSet:
    """A data set; benchmarks name it as `benchmark.dataset`."""

    name: str = MISSING
    """Name of its YAML file."""
    title: str = MISSING
    """As its authors call it."""
    about: str = MISSING
    """What it is, in one line, with the paper."""
    licence: str | None = None
    """Null where no source was found."""
    page: str = MISSING
    """Where its authors describe it."""
    place: str = MISSING
    """Its folder below `data.root`."""
    n_files: int | None = None
    """Pictures or clips of the archives that are not optional; null where no source has it."""
    arrange: str | None = None
    """How members of archives become files below `place`: a name of `archives.arrangements`."""
    folders: str | None = None
    """Table of `reference` whose column `folder` names the folders that are kept; null: all."""
    account: str | None = None
    """How to get the archives that need an account, or the consent to terms."""
    archives: list[Archive] = field(default_factory=list)
    """All files that are given out."""
    checks: Checks = field(default_factory=Checks)
    """What all of its pictures have in common, for `oodbench-data check`."""


@cache
def data_sets() -> dict[str, DataSet]:
    """All shipped data sets by name.

    Raises:
        ConfigError: a YAML file has an unknown key, a wrong type or a missing value.
    """
    found = {}
    for file in sorted(files(__package__).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            name = file.name.removesuffix(".yaml")
            found[name] = _data_set(name, file.read_text("utf-8"))
    return found


def _data_set(name: str, text: str) -> DataSet:
    try:
        schema = OmegaConf.structured(DataSet(name=name))
        node = OmegaConf.merge(schema, OmegaConf.create(text))
        found: Any = OmegaConf.to_object(node)
    except OmegaConfBaseException as error:
        raise ConfigError(f"data set {name}: {first_line(error)}") from None
    assert isinstance(found, DataSet)
    return found
