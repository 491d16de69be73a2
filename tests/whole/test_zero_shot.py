"""A zero-shot model through the command line: pictures, a subset of the classes, an attack."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from calling import call
from zero_shot_toys import open_clip_folder

from oodbench.reference import class_lists, imagenet_wnids
from oodbench.run import main

DATA = os.environ.get("OODBENCH_TEST_DATA")
N = 12


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="OODBENCH_TEST_DATA is not set")
def test_pictures_subsets_and_an_attack(tmp_path: Path) -> None:
    pytest.importorskip("open_clip")
    open_clip_folder(tmp_path / "tiny")

    def run(*overrides: str) -> Path:
        model = ["model=open_clip", "model.arch=tiny", "model.prompts=plain"]
        file = "model.weights.file=tiny/open_clip_model.safetensors"
        data = [f"data.root={DATA}", "data.allow_partial=true", f"limit={N}", "engine=eager"]
        data.append("preprocessing=timm")
        done = call(main, [*model, file, *data, *overrides], folder=tmp_path)
        assert done.returncode == 0, done.stderr
        return tmp_path / done.stdout.split()[-1]

    result = run("benchmark=imagenet")
    stored = json.loads(result.read_text())
    note = "zero-shot: class names (clip) in the sentence 'a photo of a {c}.'"
    assert note in stored["notes"]
    records = pd.read_parquet(result.parent / "records")
    assert len(records) == N
    assert records["prediction"].nunique() > 1

    root = f"benchmark.root={DATA}/imagenet/val"
    subset = pd.read_parquet(run("benchmark=imagenet_a", root).parent / "records")
    known = {imagenet_wnids().index(wnid) for wnid in class_lists()["imagenet_a"]}
    assert set(subset["prediction_200way"]) <= known

    attacked = run(
        "benchmark=imagenet", "attack=pgd_all_steps", "attack.iterations=3", "attack.eps=8/255"
    )
    rows = pd.read_parquet(attacked.parent / "records")
    assert (rows["linf"] > 0).all()
    assert not rows["zero_gradient"].any()

    (tmp_path / "mine.txt").write_text("a drawing of a {c}.\n")
    other = run("benchmark=imagenet", "model.prompts=mine.txt")
    assert other != result
    assert "in the sentence 'a drawing of a {c}.'" in other.read_text()
