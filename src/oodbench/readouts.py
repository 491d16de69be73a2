"""Logits -> the columns that a benchmark records. NumPy only."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from oodbench.core.errors import ConfigError
from oodbench.core.synsets import check_synset_ids, read_synset_ids
from oodbench.reference import class_lists, geirhos_categories, imagenet_wnids

Logits = NDArray[np.float32]
Columns = dict[str, NDArray[np.generic]]

TOP = 5

NO_CLASS = -1
"""In the place of a class, where the network has outputs for fewer classes than asked for."""


def softmax(logits: Logits) -> NDArray[np.float64]:
    """Class probabilities float64 `(N, K)` of logits `(N, K)`."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def confidence(logits: Logits) -> NDArray[np.float32]:
    """The largest class probability float32 `(N,)` of logits `(N, K)`.

    Of the shifted logits the largest is 0, so that its probability is 1 over the sum.
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(1 / np.exp(shifted, out=shifted).sum(axis=1), dtype=np.float32)


def top_classes(logits: Logits, count: int) -> NDArray[np.intp]:
    """The classes `(N, count)` of the largest of logits `(N, K)`, the best first.

    Of equal logits the one of the lower index comes first. A class of the logit -inf has no output
    and is not among them: `NO_CLASS` stands where there are no more.

    Args:
        logits: without NaN.
        count: may be larger than K.
    """
    left = logits.astype(np.float32)  # a copy
    rows = np.arange(len(left))
    best = np.empty((len(left), count), np.intp)
    for place in range(count):
        found = left.argmax(axis=1)
        best[:, place] = np.where(left[rows, found] > -np.inf, found, NO_CLASS)
        left[rows, found] = -np.inf
    return best


def cross_entropy(logits: Logits, classes: NDArray[np.integer]) -> NDArray[np.float32]:
    """Minus the log of the probability of `classes` `(N,)` under logits `(N, K)`, float32 `(N,)`.

    Infinite where the logit of the class is minus infinity: the network has no output for it.
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    of_class = np.take_along_axis(shifted, classes[:, None].astype(np.intp), axis=1)[:, 0]
    losses = np.log(np.exp(shifted).sum(axis=1)) - of_class
    return np.asarray(losses, dtype=np.float32)


def label_columns(logits: Logits, places: NDArray[np.integer]) -> Columns:
    """What a proper score needs of the whole distribution, beside the confidence.

    Args:
        logits: `(N, K)`.
        places: of the labels among the K classes `(N,)`; `NO_CLASS` where it is none of them.

    Returns:
        `label_log_probability` float32 `(N,)`, natural logarithm, minus infinity where the label
        has no output; `sum_of_squared_probabilities` of all K classes, float32 `(N,)` in (0, 1].
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    at_label = np.take_along_axis(shifted, places[:, None].astype(np.intp), axis=1)[:, 0]
    exponentials = np.exp(shifted, out=shifted)
    total = exponentials.sum(axis=1)
    logs = np.where(places == NO_CLASS, -np.inf, at_label - np.log(total))
    squares = np.square(exponentials, out=exponentials).sum(axis=1) / total**2
    return {
        "label_log_probability": logs.astype(np.float32),
        "sum_of_squared_probabilities": squares.astype(np.float32),
    }


class Standard:
    """prediction, confidence and top5 over all classes: what every benchmark records."""

    def __call__(self, logits: Logits) -> Columns:
        """Of logits `(N, 1000)`: prediction int16, confidence float32, top5 int16 `(N, 5)`.

        A network with fewer than five of the classes has `NO_CLASS` in the last places of top5.
        """
        best = top_classes(logits, TOP)
        return {
            "prediction": best[:, 0].astype(np.int16),
            "confidence": confidence(logits),
            "top5": best.astype(np.int16),
        }

    def of_labels(self, logits: Logits, labels: NDArray[np.integer]) -> Columns:
        """Of logits `(N, 1000)` and classes `(N,)`, see `label_columns`."""
        return label_columns(logits, labels)


Classes = str | Sequence[str]
"""Name of a shipped list (`oodbench.reference.class_lists`), a text file with one synset id a line,
or the ids themselves; of ImageNet-1k, in any order."""


def subset_wnids(classes: Classes, key: str = "classes") -> list[str]:
    """The synset ids of a set of classes, sorted, which is the order of the class indices.

    Args:
        classes: what the config says.
        key: where it says so, for messages.

    Raises:
        ConfigError: neither a name nor a file, or an id that is not one of ImageNet-1k's.
    """
    known = frozenset(imagenet_wnids())
    if not isinstance(classes, str):
        found = [str(wnid) for wnid in classes]
        check_synset_ids(found, key, among=known)
    elif classes in class_lists():
        found = class_lists()[classes]
    elif Path(classes).is_file():
        found = read_synset_ids(Path(classes), key, among=known)
    else:
        raise ConfigError(
            f"{key}={classes}: neither a file nor a class list; available: "
            f"{', '.join(class_lists())}"
        )
    if not found:
        raise ConfigError(f"{key}={classes}: has no classes; give one synset id a line")
    return sorted(found)


def subset_content(classes: Classes) -> str | list[str]:
    """The name of the list, also of a file that says the same; else the sorted synset ids."""
    wnids = subset_wnids(classes)
    return next((name for name, known in class_lists().items() if known == wnids), wnids)


class Subset:
    """Standard columns, and the same decision among the classes of a subset alone.

    The confidence is the softmax over the subset's logits (Hendrycks et al. 2021, eval.py of
    ImageNet-A, 200 classes).

    Args:
        classes: a list's name, a file or synset ids, see `Classes`.

    Raises:
        ConfigError: there is no such list or file, or an id is not one of ImageNet-1k's.
    """

    counted_by_content: ClassVar[Mapping[str, Callable[[Classes], str | list[str]]]] = {
        "classes": subset_content
    }

    def __init__(self, *, classes: Classes) -> None:
        wnids = set(subset_wnids(classes, "benchmark.protocol.readout.classes"))
        self.indices = np.array([k for k, wnid in enumerate(imagenet_wnids()) if wnid in wnids])

    def __call__(self, logits: Logits) -> Columns:
        """Adds prediction_<n>way (ImageNet index, int16) and confidence_<n>way (float32).

        n is the number of classes in the subset.

        Raises:
            ConfigError: the network has no output for any class of the subset.
        """
        among = logits[:, self.indices]
        n = len(self.indices)
        if np.isneginf(among).all(axis=1).any():
            raise ConfigError(
                f"model.classes: the network has no output for any of the {n} classes among which "
                "benchmark.protocol.readout decides: choose another model or benchmark"
            )
        return {
            **Standard()(logits),
            f"prediction_{n}way": self.indices[among.argmax(axis=1)].astype(np.int16),
            f"confidence_{n}way": confidence(among),
        }

    def of_labels(self, logits: Logits, labels: NDArray[np.integer]) -> Columns:
        """Those of `Standard`, and among the n classes of the subset with `_<n>way` behind."""
        n = len(self.indices)
        places = np.full(logits.shape[1], NO_CLASS)
        places[self.indices] = np.arange(n)
        among = label_columns(logits[:, self.indices], places[labels])
        ways = {f"{name}_{n}way": values for name, values in among.items()}
        return {**Standard().of_labels(logits, labels), **ways}


class SubsetWithLogit(Subset):
    """As `Subset`, and the largest logit, by which unknown classes are told (Hendrycks et al. 2022,
    Scaling Out-of-Distribution Detection for Real-World Settings).

    Args:
        classes: as in `Subset`.
    """

    def __call__(self, logits: Logits) -> Columns:
        """Adds max_logit, float32 `(N,)`, over all classes."""
        return {**super().__call__(logits), "max_logit": logits.max(axis=1)}


class ShapeCategories:
    """Standard columns, and the decision among Geirhos' 16 categories under both rules.

    `decision_max`: category of the best of the 207 logits (published run, ICLR 2019 figures).
    `decision_mean`: largest mean probability of a category's members (texture-vs-shape
    code/probabilities_to_decision.py, model-vs-human). Ties go to the first category.
    """

    def __call__(self, logits: Logits) -> Columns:
        """Adds decision_max and decision_mean: int8 `(N,)`, index among the 16 categories."""
        members: Sequence[list[int]] = list(geirhos_categories().values())
        best = np.stack([logits[:, indices].max(axis=1) for indices in members], axis=1)
        probabilities = softmax(logits)
        means = np.stack([probabilities[:, indices].mean(axis=1) for indices in members], axis=1)
        return {
            **Standard()(logits),
            "decision_max": best.argmax(axis=1).astype(np.int8),
            "decision_mean": means.argmax(axis=1).astype(np.int8),
        }
