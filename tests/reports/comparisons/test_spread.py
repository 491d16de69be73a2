"""How far the choice of a pipeline moves a score: recomputed with pandas and by hand."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from spread_runs import N, pipeline, predictions, stored

from oodbench.cli.table import main
from oodbench.core.errors import DataError
from oodbench.reports.comparisons.spread import spreads
from oodbench.reports.comparisons.spread_text import answer, frame_of, text_of


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, np.ndarray]:
    """By pipeline, what the model predicted."""
    return {
        "published": predictions(0.8, 1),
        "timm": predictions(0.6, 2),
        "squash": predictions(0.7, 3),
    }


@pytest.fixture
def root(tmp_path: Path, tables: dict[str, np.ndarray]) -> Path:
    for key, (name, prediction) in zip("abc", tables.items(), strict=True):
        stored(tmp_path, key, prediction, **pipeline(name))
    return tmp_path


def test_figures_by_pandas_alone(root: Path, tables: dict[str, np.ndarray]) -> None:
    (one,) = spreads(root, "preprocessing").found
    frame = pd.DataFrame(tables)
    right = 100 * (frame == 0).mean().sort_values(ascending=False)
    assert [run.preprocessing for run in one.runs] == right.index.tolist()
    assert one.points == pytest.approx(right.tolist())
    assert one.range == pytest.approx(right.max() - right.min())
    assert one.deviation == pytest.approx(right.std())
    assert one.n_common == N
    changes = frame.apply(lambda row: len(set(row)) > 1, axis=1)
    assert one.n_changed == changes.sum()
    best, worst = right.index[0], right.index[-1]
    assert 100 * one.largest.found.value == pytest.approx(right[worst] - right[best])
    only = [
        int(((frame[a] == 0) & (frame[b] != 0)).sum()) for a, b in ((best, worst), (worst, best))
    ]
    p_value = binomtest(only[0], sum(only), 0.5).pvalue
    assert one.largest.found.p_value == pytest.approx(p_value)
    pairs = len(list(combinations(tables, 2)))
    assert one.largest.adjusted == pytest.approx(min(1, pairs * p_value))


def test_the_sentence_has_the_numbers(root: Path, tables: dict[str, np.ndarray]) -> None:
    found = spreads(root, "preprocessing")
    shares = [100 * (prediction == 0).mean() for prediction in tables.values()]
    moved = max(shares) - min(shares)
    assert answer(found) == (
        f"The preprocessing moves the score by {moved:.1f} points (alpha × imagenet, published "
        "against timm). That is more than chance explains at 95 %."
    )


def test_models_and_benchmarks_are_kept_apart(root: Path) -> None:
    same = predictions(0.5, 9)
    stored(root, "d", same, model="beta", **pipeline("published"))
    stored(root, "e", same, model="beta", **pipeline("timm"))
    stored(root, "f", same, benchmark="imagenet_a", **pipeline("published"))  # alone
    found = spreads(root, "preprocessing")
    assert [one.cell for one in found.found] == ["alpha × imagenet", "beta × imagenet"]
    assert found.found[1].range == 0
    assert found.found[1].n_changed == 0
    assert "by 0.0 to" in answer(found)
    assert "1 of the 2 differences are more than chance explains" in answer(found)


def test_runs_that_differ_in_more_are_no_spread(root: Path) -> None:
    """Another attack under another pipeline says nothing of the pipeline."""
    attacked = {"attack": "pgd", "difference": ["attack=pgd", "preprocessing=timm"]}
    stored(root, "d", predictions(0.1, 1), **{**pipeline("timm"), **attacked})
    (one,) = spreads(root, "preprocessing").found
    assert len(one.runs) == 3


def test_two_swept_fields_are_a_grid(tmp_path: Path) -> None:
    shares: dict[tuple[int, str], float] = {}
    for key, (size, kind) in zip(
        "abcd",
        [(224, "bicubic"), (256, "bilinear"), (224, "bilinear"), (1024, "bicubic")],
        strict=True,
    ):
        prediction = predictions(0.5 + 0.1 * len(shares), len(shares))
        shares[size, kind] = 100 * float((prediction == 0).mean())
        stored(tmp_path, key, prediction, **pipeline("published", resize=size, interpolation=kind))
    lines = text_of(spreads(tmp_path, "preprocessing")).splitlines()
    assert lines[1].split() == ["resize", "\\", "interpolation", "bicubic", "bilinear"]
    grid = [line.split() for line in lines[2:5]]
    assert [row[0] for row in grid] == ["224", "256", "1024"]
    assert grid[0][1:] == [f"{shares[224, 'bicubic']:.1f}", f"{shares[224, 'bilinear']:.1f}"]
    assert grid[1][1:] == [f"{shares[256, 'bilinear']:.1f}"]
    assert "resize=224" in lines[5]


def test_attacks_are_told_apart_in_the_same_way(tmp_path: Path) -> None:
    for key, eps in (("a", "0.01"), ("b", "0.02")):
        changed = {"attack": "pgd", "difference": [f"attack.eps={eps}"]}
        stored(tmp_path, key, predictions(0.5, int(eps[-1])), **changed)
    (one,) = spreads(tmp_path, "attack").found
    assert set(frame_of(spreads(tmp_path, "attack"))["attack"]) == {"eps=0.01", "eps=0.02"}
    assert one.cell == "alpha × imagenet"


def test_the_command_prints_it_and_writes_the_table(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--output-root", str(root), "--spread", "preprocessing"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("alpha × imagenet: top1\n")
    assert "The preprocessing moves the score by" in said
    written = pd.read_csv(root / "tables" / "spread_preprocessing.csv")
    assert written["preprocessing"].tolist() == ["published", "squash", "timm"]
    assert (written["common"] == N).all()


def test_demo_and_partial_runs_are_named(tmp_path: Path) -> None:
    stored(tmp_path, "a", predictions(0.5, 1), demo=True, **pipeline("published"))
    stored(tmp_path, "b", predictions(0.5, 2), demo=True, **pipeline("timm"))
    text = text_of(spreads(tmp_path, "preprocessing"))
    assert "2 of 2 runs: demo data" in text
    assert text.endswith("at 95 %. 2 of 2 runs are on demo data.")


def test_one_way_alone_has_no_spread(tmp_path: Path) -> None:
    stored(tmp_path, "a", predictions(0.5, 1), **pipeline("published"))
    with pytest.raises(DataError, match=r"no model has two runs that differ in preprocessing"):
        spreads(tmp_path, "preprocessing")
