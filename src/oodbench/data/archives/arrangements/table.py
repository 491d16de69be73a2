"""The arrangements by the names that data sets give them."""

from collections.abc import Mapping
from pathlib import Path

from oodbench.core.errors import ConfigError
from oodbench.data.archives.arrangements.base import Arrangement
from oodbench.data.archives.arrangements.class_folders import ClassFolders
from oodbench.data.archives.arrangements.flat_validation import FlatValidation
from oodbench.data.archives.arrangements.index_folders import IndexFolders
from oodbench.data.archives.arrangements.listed_folders import ListedFolders
from oodbench.data.archives.arrangements.stimuli import Stimuli
from oodbench.data.archives.arrangements.trees import Trees
from oodbench.data.sets.facts import DataSet

ARRANGEMENTS: dict[str, type[Arrangement]] = {
    "class_folders": ClassFolders,
    "flat_validation": FlatValidation,
    "index_folders": IndexFolders,
    "listed_folders": ListedFolders,
    "stimuli": Stimuli,
    "trees": Trees,
}


def arrangement(data_set: DataSet, found: Mapping[str, Path]) -> Arrangement:
    """The one that a data set names.

    Args:
        data_set: its facts.
        found: archives by their official names.

    Raises:
        ConfigError: it names none.
        DataError: the archives contradict the shipped facts.
    """
    if data_set.arrange not in ARRANGEMENTS:
        raise ConfigError(
            f"data set {data_set.name}: it cannot be prepared from archives; {data_set.page}"
        )
    return ARRANGEMENTS[data_set.arrange](data_set, found)
