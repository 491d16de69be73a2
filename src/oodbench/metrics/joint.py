"""Weighted sums of means over the same pictures: the form of mCE, mFR and their kin."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from posixpath import splitext

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.intervals import NO_INTERVAL, bootstrap_mean
from oodbench.metrics.score import Score, Unit


@dataclass(frozen=True)
class Term:
    """One summand.

    Attributes:
        weight: factor of the mean.
        values: bool or float `(n,)`, one value per picture, indexed by a name that is the same in
            every term that shows this picture (`source_names`).
    """

    weight: float
    values: pd.Series


def weighted_sum(terms: Sequence[Term], *, unit: Unit, note: str = "") -> Score:
    """Sum of weight times mean as a Score, lower being better.

    The sum is linear in the values, so where all terms show the same pictures it is the mean of
    one number per picture, and its bootstrap over pictures resamples all terms jointly. Where they
    do not, there is no such interval: it is NaN and the note says so.

    Args:
        terms: at least one, none empty.
        unit, note: as in `Score`.

    Returns:
        The score; its `n` counts different pictures.

    Raises:
        ValueError: a term names a picture twice.
    """
    for term in terms:
        if not term.values.index.is_unique:
            twice = term.values.index[term.values.index.duplicated()][0]
            raise ValueError(f"expected one value a picture, found several for {twice}")
    value = float(sum(term.weight * term.values.to_numpy().mean() for term in terms))
    per_picture = _per_picture(terms)
    if per_picture is None:
        pictures = {name for term in terms for name in term.values.index}
        reason = "no interval: its parts show different pictures"
        note = f"{note}; {reason}" if note else reason
        return Score(value, *NO_INTERVAL, len(pictures), unit, False, note)
    return Score(value, *bootstrap_mean(per_picture), len(per_picture), unit, False, note)


def source_names(images: Iterable[str]) -> list[str]:
    """`<folder>/<stem>` of each path: the name of a picture in every benchmark made from it.

    The copies of a picture in ImageNet-C, its clips in ImageNet-P and itself differ in the folders
    above that of its class and in the suffix.
    """
    return [splitext("/".join(path.rsplit("/", 2)[-2:]))[0] for path in images]


def _per_picture(terms: Sequence[Term]) -> NDArray[np.float64] | None:
    names = terms[0].values.index
    total = np.zeros(len(names))
    for term in terms:
        values = term.values
        if not values.index.equals(names):
            positions = values.index.get_indexer(names)
            if len(values) != len(names) or (positions < 0).any():
                return None
            values = values.iloc[positions]
        total += term.weight * values.to_numpy()
    return total
