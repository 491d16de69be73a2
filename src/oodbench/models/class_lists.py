"""What a network's outputs stand for, and which of them are the 1000 classes. Imports no torch.

The lists of ImageNet-12k, -21k and -22k are those that timm ships (`timm/data/_info`). A class of
ImageNet-1k that a list lacks has no output; these are all of them:

imagenet_21k_google, imagenet_22k: n04399382 (teddy bear).
imagenet_12k: also n02085782, n02089078, n02089867, n02091635, n02112706, n02113978 (dogs).
imagenet_21k_miil, imagenet_21k_miil_w21: also n02089973, n02108000 (dogs).
imagenet_22k_ms, imagenet_1k_background: none.
"""

import hashlib
import importlib.util
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from oodbench.core.errors import ConfigError
from oodbench.core.synsets import read_synset_ids
from oodbench.reference import imagenet_wnids

DEFAULT = "imagenet_1k"
BACKGROUND = "background"
"""The entry in a class list for an output that is not a synset."""

TIMM_FILES = {
    "imagenet_12k": "imagenet12k_synsets.txt",
    "imagenet_21k_google": "imagenet21k_goog_synsets.txt",
    "imagenet_21k_miil": "imagenet21k_miil_synsets.txt",
    "imagenet_21k_miil_w21": "imagenet21k_miil_w21_synsets.txt",
    "imagenet_22k": "imagenet22k_synsets.txt",
    "imagenet_22k_ms": "imagenet22k_ms_synsets.txt",
}
"""Names of class lists, with the file of timm that holds each."""

NAMES = (DEFAULT, "imagenet_1k_background", *TIMM_FILES)


def class_list(classes: str) -> Sequence[str]:
    """The synset id of each output, in the network's order; `background` for none.

    Args:
        classes: one of `NAMES`, or the path of a text file with one synset id (or `background`) a
            line.

    Raises:
        ConfigError: neither a name nor a file, or a file that is no class list.
    """
    if classes == DEFAULT:
        return imagenet_wnids()
    if classes == "imagenet_1k_background":
        return [BACKGROUND, *imagenet_wnids()]
    if classes in TIMM_FILES:
        return _timm_text(TIMM_FILES[classes]).split()
    return _read(Path(classes))


def columns(classes: str) -> list[int | None]:
    """The output of each of the 1000 classes, by class index; None where the list lacks it."""
    positions = {wnid: position for position, wnid in enumerate(class_list(classes))}
    return [positions.get(wnid) for wnid in imagenet_wnids()]


def missing_classes(classes: str) -> list[str]:
    """Synset ids of those of the 1000 classes that have no output, by class index."""
    found = columns(classes)
    return [wnid for wnid, column in zip(imagenet_wnids(), found, strict=True) if column is None]


def class_list_identity(classes: str) -> str:
    """The name of the list, or of one with a file's content; else "sha256:<hex>" of the ids."""
    if classes in NAMES:
        return classes
    given = list(class_list(classes))
    for name in names_of_count(len(given)):
        if list(class_list(name)) == given:
            return name
    return f"sha256:{hashlib.sha256(' '.join(given).encode()).hexdigest()}"


def names_of_count(count: int) -> list[str]:
    """Names of the lists with `count` outputs; each list has another count."""
    return [name for name in NAMES if len(class_list(name)) == count]


def wrong_count(count: int, classes: str) -> str:
    """What is wrong with `model.classes` for a network of `count` outputs, and what to set."""
    fitting = names_of_count(count)
    mend = (
        f"set model.classes={fitting[0]}"
        if fitting
        else "set model.classes=FILE, a text file with one synset id a line in the order of the "
        "outputs"
    )
    return (
        f"its network has {count} outputs, model.classes={classes} has "
        f"{len(class_list(classes))}: {mend}"
    )


def check_labels(labels: Sequence[str], classes: str) -> str | None:
    """Compare the names that a network gives its outputs with a class list.

    A label agrees where it is the synset id or shares a lemma with the class; labels that are no
    name of any class (`LABEL_7`) are passed over.

    Returns:
        What is wrong: the first label that names another class than its place; None if all is well.
    """
    wnids = class_list(classes)
    lemmas = {wnid: frozenset({wnid}) | _lemmas(_names().get(wnid, wnid)) for wnid in wnids}
    known = frozenset().union(*lemmas.values())
    for position, (label, wnid) in enumerate(zip(labels, wnids, strict=True)):
        words = _lemmas(label)
        if words & known and not words & lemmas[wnid]:
            right = _names().get(wnid, wnid)
            return f"label {position} is '{label}', but output {position} of {classes} is '{right}'"
    return None


def _lemmas(label: str) -> frozenset[str]:
    return frozenset(
        " ".join(re.split(r"[\s_]+", part.lower())).strip() for part in label.split(",")
    )


@cache
def _names() -> dict[str, str]:
    lines = _timm_text("imagenet_synset_to_lemma.txt").splitlines()
    return dict(line.split("\t", 1) for line in lines)


@cache
def _timm_text(file_name: str) -> str:
    """A file that timm ships, found without importing timm."""
    spec = importlib.util.find_spec("timm")
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        path = Path(folder) / "data" / "_info" / file_name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise ConfigError(f"the installed timm has no {file_name}: pip install 'timm>=1.0.9'")


def _read(path: Path) -> list[str]:
    if not path.is_file():
        raise ConfigError(
            f"model.classes={path}: neither a file nor a class list; available: {', '.join(NAMES)}"
        )
    ids = read_synset_ids(path, "model.classes", also=BACKGROUND)
    if not set(ids).intersection(imagenet_wnids()):
        raise ConfigError(f"{path}: has none of the 1000 classes of ImageNet")
    return ids
