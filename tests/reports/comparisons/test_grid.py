"""Sweeps over two settings among other runs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from run_factory import run_result, score
from spread_runs import pipeline, predictions, stored

from oodbench.cli.table import main
from oodbench.metrics.paired import Difference
from oodbench.reports.comparisons.compare import Comparison
from oodbench.reports.comparisons.grid import Grid, grid_of
from oodbench.reports.comparisons.spread import Spread, spreads
from oodbench.reports.comparisons.spread_text import text_of

SIZES = (224, 232)
KINDS = ("bilinear", "bicubic", "lanczos")


def spread_of(field: str, runs: list[dict[str, Any]]) -> Spread:
    """Of runs without records, for what does not need them."""
    made = [
        replace(run_result(key=f"{n:012}", scores={"top1": score(1 - n / 20)}), **changed)
        for n, changed in enumerate(runs)
    ]
    made = [replace(run, directory=Path(run.key)) for run in made]
    found = Difference(0.0, 0.0, 0.0, 1.0, 0, 0, 1)
    largest = Comparison(made[0], made[-1], (0.0, 0.0), found, 1.0, pd.DataFrame(), 0, False)
    return Spread(field, made, largest, 0, 0)


def swept() -> list[dict[str, Any]]:
    return [
        pipeline("published", crop=224, resize=size, interpolation=kind)
        for size in SIZES
        for kind in KINDS
    ]


def values(grid: Grid | None) -> tuple[str, list[str], str, list[str], int]:
    assert grid is not None
    return (
        *(grid.down, list(grid.values_down)),
        *(grid.across, list(grid.values_across)),
        len(grid.runs),
    )


EXPECTED = ("resize", ["224", "232"], "interpolation", ["bicubic", "bilinear", "lanczos"], 6)


def test_a_sweep_is_found_among_other_pipelines() -> None:
    others = [pipeline("squash", square_crop=True, resize=224), pipeline("timm", resize=300)]
    assert values(grid_of(spread_of("preprocessing", [*others, *swept()]))) == EXPECTED


def test_one_swept_setting_or_two_runs_are_no_grid() -> None:
    assert grid_of(spread_of("preprocessing", swept()[:3])) is None
    crossed = [swept()[0], swept()[4]]
    assert grid_of(spread_of("preprocessing", crossed)) is None


def test_settings_of_an_attack() -> None:
    runs = [
        {"difference": [f"attack.eps={eps}", f"attack.iterations={n}"], "attack": "pgd"}
        for eps in ("0.5", "0.25", "1")
        for n in ("20", "100")
    ]
    grid = grid_of(spread_of("attack", runs))
    assert values(grid)[:4] == ("eps", ["0.25", "0.5", "1"], "iterations", ["20", "100"])


def test_other_classes_of_preprocessing_have_no_settings() -> None:
    runs = [
        {"config": {"preprocessing": {"_target_": "mine"}}, "difference": [f"x={n}"]} for n in "ab"
    ]
    assert grid_of(spread_of("preprocessing", runs)) is None


@pytest.fixture
def root(tmp_path: Path) -> Path:
    keys = iter("abcdefgh")
    for model in ("alpha", "beta"):
        share = 0.5
        for changed in swept()[:4] if model == "beta" else swept()[:1]:
            share += 0.05
            stored(
                tmp_path, next(keys), predictions(share, int(100 * share)), model=model, **changed
            )
    stored(tmp_path, next(keys), predictions(0.9, 9), model="alpha", **pipeline("squash", resize=9))
    stored(tmp_path, next(keys), predictions(0.9, 9), model="beta", **pipeline("squash", resize=9))
    return tmp_path


def test_text_has_the_grid_and_then_the_others(root: Path) -> None:
    block = text_of(spreads(root, "preprocessing")).partition("beta × imagenet")[2].splitlines()
    assert block[1].split() == ["resize", "\\", "interpolation", *EXPECTED[3]]
    assert [line.split()[0] for line in block[2:4]] == ["224", "232"]
    assert block[4].split()[1].startswith("resize=9")


def test_json_and_csv_of_some_models(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["--output-root", str(root), "--spread", "preprocessing", "--models", "beta"]
    assert main([*line, "--format", "json"]) == 0
    content = json.loads(capsys.readouterr().out)
    (cell,) = content["cells"]
    assert content["answer"].startswith("The preprocessing moves the score by ")
    assert cell["grid"]["rows"] == {"resize": ["224", "232"]}
    grid = np.array(cell["grid"]["points"], float)
    assert np.isnan(grid).sum() == 2
    points = [run["points"] for run in cell["runs"]]
    assert cell["range"] == pytest.approx(max(points) - min(points))
    assert set(grid[~np.isnan(grid)]) == set(points[1:])
    assert main([*line, "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert len(pd.read_csv(root / "tables" / "spread_preprocessing.csv")) == 7
    assert main([*line[:-1], "wasp"]) == 1
    assert "no spread of preprocessing is of these models" in capsys.readouterr().err
