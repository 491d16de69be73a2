"""Logits -> the columns that a benchmark records. NumPy only."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oodbench.reference import geirhos_categories, imagenet_a_indices

Logits = NDArray[np.float32]
Columns = dict[str, NDArray[np.generic]]

TOP = 5


def softmax(logits: Logits) -> NDArray[np.float64]:
    """Class probabilities float64 `(N, K)` of logits `(N, K)`."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def cross_entropy(logits: Logits, classes: NDArray[np.integer]) -> NDArray[np.float32]:
    """Minus the log of the probability of `classes` `(N,)` under logits `(N, K)`, float32 `(N,)`.

    Infinite where the logit of the class is minus infinity: the network has no output for it.
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    of_class = np.take_along_axis(shifted, classes[:, None].astype(np.intp), axis=1)[:, 0]
    losses = np.log(np.exp(shifted).sum(axis=1)) - of_class
    return np.asarray(losses, dtype=np.float32)


class Standard:
    """prediction, confidence and top5 over all classes: what every benchmark records."""

    def __call__(self, logits: Logits) -> Columns:
        """Of logits `(N, 1000)`: prediction int16, confidence float32, top5 int16 `(N, 5)`."""
        best = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
        return {
            "prediction": best[:, 0].astype(np.int16),
            "confidence": softmax(logits).max(axis=1).astype(np.float32),
            "top5": best.astype(np.int16),
        }


class ImageNetASubset:
    """Standard columns, and the same decision among the 200 classes of ImageNet-A alone.

    The confidence is the softmax over the 200 logits (Hendrycks et al. 2021, eval.py).
    """

    def __call__(self, logits: Logits) -> Columns:
        """Adds prediction_200way (ImageNet index, int16) and confidence_200way (float32)."""
        indices = np.array(imagenet_a_indices())
        masked = logits[:, indices]
        return {
            **Standard()(logits),
            "prediction_200way": indices[masked.argmax(axis=1)].astype(np.int16),
            "confidence_200way": softmax(masked).max(axis=1).astype(np.float32),
        }


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
