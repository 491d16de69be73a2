"""Facts that the protocols rest on, as data: class lists, normalisers, published results."""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SEVERITIES = (1, 2, 3, 4, 5)
"""Of every corruption of ImageNet-C (Hendrycks & Dietterich 2019)."""

ALEXNET_CLEAN_ERROR = 0.43478
"""Top-1 error of the AlexNet that normalises ImageNet-C, on clean ImageNet (Hendrycks 2019)."""


@dataclass(frozen=True)
class HumanAnswers:
    """How people classified stimuli among 16 categories.

    Attributes:
        observers: how many people.
        answers: stimuli that they saw, all together; without an answer too.
        correct: how many of them they named the category of.
    """

    observers: int
    answers: int
    correct: int


@dataclass(frozen=True)
class KnownNames:
    """Pictures whose class follows from the name of their file, wherever it lies.

    Attributes:
        pattern: of such a name; its group is the number of the picture, from 1.
        labels: class index of each picture, in the order of their numbers.
    """

    pattern: re.Pattern[str]
    labels: Sequence[int]


@dataclass(frozen=True)
class Baseline:
    """What others measured of a public model.

    Attributes:
        model: as its source names it.
        source: timm or imagenet-testbed.
        group: of training, as the source says: of imagenet-testbed standard, robust_intv and
            others; of timm what it was pretrained on. "" where it says nothing.
        top1: accuracies by column of the source's table, fractions.
    """

    model: str
    source: str
    group: str
    top1: dict[str, float]


@dataclass(frozen=True)
class NetworkDecisions:
    """How often a network called the cue-conflict stimuli of a category by one of their cues.

    Attributes:
        shape, texture: how many of the stimuli with this shape it called by shape, by texture.
    """

    network: str
    category: str
    shape: int
    texture: int


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def read_table(name: str) -> list[dict[str, str]]:
    """Rows of one of the shipped CSV files, as strings."""
    return list(csv.DictReader(_text(name).splitlines()))


@cache
def revisions() -> list[dict[str, str]]:
    """Classes that compute otherwise than they did: target, argument and value, revision, why.

    A row without an argument holds for all; one with it where the argument has that value.
    """
    return read_table("revisions.csv")


@cache
def imagenet_wnids() -> list[str]:
    """The 1000 synset ids of ImageNet-1k; the position is the class index."""
    return _text("imagenet_1k_wnids.txt").split()


@cache
def validation_labels() -> list[int]:
    """Class index of each of the 50,000 validation pictures, in the order of their numbers."""
    return [int(line) for line in _text("imagenet_val_labels.txt").split()]


@cache
def known_names() -> dict[str, KnownNames]:
    """The kinds of file names that say a class, as data sets name them in `checks.names`."""
    return {
        row["name"]: KnownNames(
            re.compile(row["pattern"]), [int(line) for line in _text(row["labels"]).split()]
        )
        for row in read_table("known_names.csv")
    }


@cache
def class_names() -> list[str]:
    """A name for each of the 1000 classes, the first of its synset; two are called `crane`."""
    return [row["lemmas"].split(",")[0] for row in read_table("imagenet_1k_names.csv")]


@cache
def class_lists() -> dict[str, list[str]]:
    """Shipped lists of classes of ImageNet-1k by name, each sorted by synset id.

    `imagenet`, all 1000, and the lists of the files `<name>_wnids.txt`.
    """
    suffix = "_wnids.txt"
    names = sorted(entry.name for entry in files(__package__).iterdir())
    found = {
        name.removesuffix(suffix): _text(name).split() for name in names if name.endswith(suffix)
    }
    return {"imagenet": imagenet_wnids(), **found}


@cache
def text_lists(kind: str) -> dict[str, list[str]]:
    """Shipped lists of lines by name: those of the files `<kind>_<name>.txt`.

    Args:
        kind: prompts (templates) or class_names (of the 1000 classes).
    """
    names = sorted(entry.name for entry in files(__package__).iterdir())
    return {
        name.removeprefix(f"{kind}_").removesuffix(".txt"): _text(name).splitlines()
        for name in names
        if name.startswith(f"{kind}_") and name.endswith(".txt")
    }


@cache
def geirhos_categories() -> dict[str, list[int]]:
    """The 16 shape categories, alphabetical, each with its ImageNet class indices (207 in all)."""
    table = json.loads(_text("geirhos16.json"))
    return {category: list(table["indices"][category]) for category in table["categories"]}


@cache
def alexnet_corruption_errors() -> dict[str, float]:
    """AlexNet's mean top-1 error over the five severities, a fraction, of all 19 corruptions."""
    return {
        row["corruption"]: float(row["value"])
        for row in read_table("corruption_reference.csv")
        if row["quantity"] == "alexnet_mean_error"
    }


@cache
def published_models() -> tuple[str, ...]:
    """The 26 models in the order of the published table."""
    return tuple(row["model"] for row in read_table("published_order.csv"))


@cache
def imagenet_real_labels() -> list[tuple[int, ...]]:
    """ReaL's class indices of every validation picture, by its number less 1; often several, none
    for 3,163 (Beyer et al. 2020, real.json of google-research/reassessed-imagenet)."""
    lines = _text("imagenet_real_labels.txt").split("\n")
    return [tuple(int(index) for index in line.split()) for line in lines[:50000]]


@cache
def objectnet_classes() -> dict[str, tuple[int, ...]]:
    """Folders of ObjectNet that show classes of ImageNet-1k, 113 of 313, with their class indices.

    No class belongs to two folders (objectnet_metadata of modestyachts/imagenet-testbed).
    """
    return {
        row["folder"]: tuple(int(index) for index in row["imagenet_indices"].split())
        for row in read_table("objectnet_classes.csv")
    }


@cache
def human_answers() -> dict[str, HumanAnswers]:
    """By experiment of Geirhos et al. (2019), counted over the raw data of all observers."""
    return {
        row["experiment"]: HumanAnswers(
            int(row["observers"]), int(row["answers"]), int(row["correct"])
        )
        for row in read_table("human_answers.csv")
    }


_BASELINES = {
    "timm": ("baselines_timm.csv", "pretrain"),
    "imagenet-testbed": ("baselines_testbed.csv", "type"),
}
_NO_ACCURACY = (
    "model",
    "type",
    "pretrain",
    "img_size",
    "param_millions",
    "crop_pct",
    "interpolation",
)


@cache
def baselines() -> list[Baseline]:
    """1,602 public models on standard and shifted sets.

    1,267 weights of huggingface/pytorch-image-models (aa4b5850, results/*.csv), measured with their
    own preprocessing, and 335 models of modestyachts/imagenet-testbed (0170eec).
    """
    return [
        Baseline(row["model"], source, row[group], _accuracies(row))
        for source, (file, group) in _BASELINES.items()
        for row in read_table(file)
    ]


def _accuracies(row: dict[str, str]) -> dict[str, float]:
    return {
        name: float(value) / 100
        for name, value in row.items()
        if value and name not in _NO_ACCURACY
    }


@cache
def cue_conflict_people() -> dict[str, dict[str, str]]:
    """Ten people's answers by stimulus (file name), category by person; "na": none was given.

    All 1,280 stimuli of Geirhos et al. (2019), rgeirhos/texture-vs-shape.
    """
    return {row.pop("stimulus"): row for row in read_table("cue_conflict_people.csv")}


@cache
def cue_conflict_networks() -> list[NetworkDecisions]:
    """AlexNet, GoogLeNet and VGG-16 on the 1,200 stimuli with a conflict, by shape category.

    Counted over the raw data of Geirhos et al. (2019), rgeirhos/texture-vs-shape.
    """
    return [
        NetworkDecisions(
            row["network"], row["category"], int(row["n_shape"]), int(row["n_texture"])
        )
        for row in read_table("cue_conflict_networks.csv")
    ]
