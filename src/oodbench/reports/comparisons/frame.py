"""Comparisons as a table for Python programs."""

import pandas as pd

from oodbench.reports.comparisons.compare import Compared
from oodbench.reports.comparisons.text import labels_of, mark


def frame_of(compared: Compared) -> pd.DataFrame:
    """One row a comparison, numbers as fractions; the columns are those of `oodbench.compare`."""
    rows = []
    for one in compared.comparisons:
        found = one.found
        sides = (one.first, one.second)
        said = [
            f"{side}: {text}" for side, run in zip("AB", sides, strict=True) if (text := mark(run))
        ]
        rows.append(
            {
                "benchmark": one.first.benchmark,
                **dict(zip("ab", labels_of(*sides), strict=True)),
                "accuracy_a": one.accuracies[0],
                "accuracy_b": one.accuracies[1],
                "difference": found.value,
                "low": found.low,
                "high": found.high,
                "p_value": found.p_value,
                "p_value_holm": one.adjusted,
                "only_a": found.only_first,
                "only_b": found.only_second,
                "n": found.n,
                "unpaired": one.n_unpaired,
                "note": "; ".join(said),
                "key_a": one.first.key,
                "key_b": one.second.key,
            }
        )
    return pd.DataFrame(rows)
