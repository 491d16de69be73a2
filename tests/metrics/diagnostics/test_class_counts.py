import numpy as np
import pandas as pd

from oodbench.metrics.diagnostics.class_counts import class_counts


def test_counts_are_those_of_pandas():
    rng = np.random.default_rng(0)
    label, right = rng.choice([3, 7, 999], 200), rng.uniform(size=200) < 0.4
    found = class_counts([(label[:90], right[:90]), (label[90:], right[90:])])
    table = pd.DataFrame({"label": label, "right": right}).groupby("label")["right"]
    assert found.label == [3, 7, 999]
    assert found.n == table.size().tolist()
    assert found.right == table.sum().tolist()


def test_nothing():
    assert class_counts([]).label == []
