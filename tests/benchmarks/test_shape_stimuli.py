"""Edges and silhouettes: categories from folders, both rules, and people beside them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oodbench.benchmarks.shape_stimuli import ShapeStimuli
from oodbench.core.errors import ConfigError, DataError
from oodbench.readouts import ShapeCategories
from oodbench.reference import geirhos_categories

Make = Callable[..., Path]


def benchmark(root: Path, experiment: str = "edges") -> ShapeStimuli:
    return ShapeStimuli(root=str(root), n_expected=160, experiment=experiment)


def test_categories_are_the_folders(tmp_path: Path, make_picture: Make) -> None:
    for place in ("cat/cat2", "cat/cat1", "airplane/airplane1", "truck/truck1"):
        make_picture(tmp_path / f"{place}.png")
    (split,) = benchmark(tmp_path).splits()
    assert (split.n_items, split.n_expected) == (4, 160)
    assert [(item.image, item.label) for item in split.list_items()] == [
        ("airplane/airplane1.png", 0),
        ("cat/cat1.png", 7),
        ("truck/truck1.png", 15),
        ("cat/cat2.png", 7),
    ]
    assert list(geirhos_categories())[7] == "cat"


def test_other_folders(tmp_path: Path, make_picture: Make) -> None:
    make_picture(tmp_path / "n01440764" / "a.png")
    with pytest.raises(DataError, match=r"n01440764: none of the 16 categories"):
        benchmark(tmp_path).splits()


def test_an_unknown_experiment(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="available: edges, silhouettes"):
        benchmark(tmp_path, "texture")


def test_both_rules_against_loops(tmp_path: Path) -> None:
    categories = geirhos_categories()
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 16, 80)
    logits = rng.normal(size=(80, 1000)).astype(np.float32)
    for row, label in zip(logits, labels, strict=True):
        row[categories[list(categories)[label]]] += 1.5
    columns = ShapeCategories()(logits)
    records = pd.DataFrame(
        {
            "label": labels,
            "category": [list(categories)[label] for label in labels],
            "decision_max": columns["decision_max"],
            "decision_mean": columns["decision_mean"],
        }
    )
    found = benchmark(tmp_path).score([("", records)])
    by_max = [max(categories, key=lambda c: logits[k][categories[c]].max()) for k in range(80)]
    by_mean = [
        max(categories, key=lambda c: np.exp(logits[k][categories[c]]).mean()) for k in range(80)
    ]
    for metric, decisions in (("accuracy", by_max), ("accuracy_mean_rule", by_mean)):
        right = np.array(decisions) == records["category"].to_numpy()
        assert found[""][metric].value == pytest.approx(right.mean())
        cats = records["category"] == "cat"
        assert found["cat"][metric].value == pytest.approx(right[cats].mean())


@pytest.mark.parametrize(("experiment", "share"), [("edges", 0.87125), ("silhouettes", 0.753125)])
def test_people(tmp_path: Path, experiment: str, share: float) -> None:
    """Counted over the 1,600 answers of the authors' raw data: 1,394 and 1,205 are right."""
    records = pd.DataFrame(
        {"label": [0], "category": ["airplane"], "decision_max": [0], "decision_mean": [1]}
    )
    found = benchmark(tmp_path, experiment).score([("", records)])[""]["accuracy_of_people"]
    assert (found.value, found.n) == (share, 1600)
