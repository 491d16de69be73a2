import numpy as np
import pandas as pd

from oodbench.metrics.diagnostics.cue_decisions import cue_decisions
from oodbench.metrics.shape_bias import shape_bias
from oodbench.reference import geirhos_categories

CATEGORIES = list(geirhos_categories())


def stimuli(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    shape, texture = rng.choice(CATEGORIES[:4], (2, n))
    return pd.DataFrame(
        {
            "image": [
                f"{pair[0]}/{pair[0]}{k}-{pair[1]}1.png"
                for k, pair in enumerate(zip(shape, texture, strict=True))
            ],
            "shape": shape,
            "texture": texture,
            "published_set": shape != texture,
            "decision_max": rng.integers(0, 16, n).astype(np.int16),
            "decision_mean": rng.integers(0, 16, n).astype(np.int16),
        }
    )


def test_counts_give_the_shape_bias_of_each_category():
    records = stimuli(600)
    found = cue_decisions(records)
    scores = shape_bias(records)
    assert list(found.counts) == CATEGORIES[:4]
    for category, counts in found.counts.items():
        assert counts.shape_bias == scores[category]["shape_bias"].value
        assert counts.shape + counts.texture == scores[category]["shape_bias"].n


def test_stimuli_are_right_where_the_shape_is_named():
    records = stimuli(50)
    right = cue_decisions(records).right()
    expected = {
        row.image.split("/")[1]: CATEGORIES[row.decision_max] == row.shape
        for row in records.itertuples()
        if row.shape != row.texture
    }
    assert right == expected


def test_without_a_decision_for_a_cue():
    records = stimuli(1).assign(shape="bear", texture="bird", decision_max=15)
    assert cue_decisions(records).counts["bear"].shape_bias is None
