"""Weighted sums of means over the same pictures: the form of mCE, mFR and their kin."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan
from posixpath import splitext

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.metrics.intervals import bootstrap_mean, bootstrap_strata
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
    do not, pictures that the same terms show are a stratum, see `bootstrap_strata`, and the note
    says so, or that there is no interval.

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
    if per_picture is not None:
        return Score(value, *bootstrap_mean(per_picture), len(per_picture), unit, False, note)
    strata = _strata(terms)
    interval = bootstrap_strata(strata)
    said = "no interval: its" if isnan(interval.low) else "its"
    notes = filter(None, [note, f"{said} parts show different pictures"])
    return Score(value, *interval, sum(map(len, strata)), unit, False, "; ".join(notes))


def _strata(terms: Sequence[Term]) -> list[NDArray[np.float64]]:
    """What each picture adds to the sum, by the terms that show it."""
    places: dict[object, int] = {}
    for term in terms:
        for name in term.values.index:
            places.setdefault(name, len(places))
    adds = np.zeros(len(places))
    shown = np.zeros(len(places), np.uint64)
    marks = np.random.default_rng(0).integers(2**63, size=len(terms), dtype=np.uint64)
    for term, mark in zip(terms, marks, strict=True):
        at = np.fromiter((places[name] for name in term.values.index), np.intp, len(term.values))
        adds[at] += term.weight * term.values.to_numpy() / len(at)
        shown[at] ^= mark
    _, kinds = np.unique(shown, return_inverse=True)
    order = np.argsort(kinds, kind="stable")
    return np.split(adds[order], np.flatnonzero(np.diff(kinds[order])) + 1)


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
