"""How much does the preprocessing move the numbers? Asked from the shell, on real pictures."""

import json
import os
import re
from pathlib import Path

import pandas as pd
import pytest
from calling import call

from oodbench.cli.table import main as table
from oodbench.run import main

DATA = os.environ.get("OODBENCH_TEST_DATA")
MODELS = ("efficientnet_lite0", "efficientnet_lite1")
PICTURES = 20


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="OODBENCH_TEST_DATA is not set")
def test_a_sweep_and_one_command_give_the_answer(tmp_path: Path) -> None:
    """The sentence has the number that pandas finds in the records alone."""
    sweep = ["-m", f"model={','.join(MODELS)}", "preprocessing=glob(*)", f"limit={PICTURES}"]
    paths = [f"data.root={DATA}", "data.allow_partial=true", "output_root=outputs"]
    done = call(main, [*sweep, *paths], folder=tmp_path)
    assert done.returncode == 0, done.stderr
    done = call(lambda: table(), ["--spread", "preprocessing"], folder=tmp_path)
    assert done.returncode == 0, done.stderr

    ranges = {}
    for model in MODELS:
        runs = sorted((tmp_path / "outputs" / "runs" / "imagenet" / model).iterdir())
        records = {run.name: pd.read_parquet(run / "records") for run in runs}
        shares = {k: (r["label"] == r["prediction"]).mean() for k, r in records.items()}
        ranges[model] = 100 * (max(shares.values()) - min(shares.values()))
        decided = pd.concat([r.set_index("image")["prediction"] for r in records.values()], axis=1)
        changed = int((decided.nunique(axis=1) > 1).sum())
        block = done.stdout.partition(f"{model} × imagenet: top1\n")[2].partition("\n\n")[0]
        assert f"{changed} of {PICTURES} pictures change their prediction" in block
        assert f"range {ranges[model]:.1f} points" in block
    found = re.search(r"by (.+) to (.+) points, (.+) on average over 2", done.stdout)
    assert found is not None
    expected = [min(ranges.values()), max(ranges.values()), sum(ranges.values()) / 2]
    assert [float(number) for number in found.groups()] == pytest.approx(expected, abs=0.051)
    most = max(ranges, key=lambda model: ranges[model])
    assert f"the most for {most} × imagenet, " in done.stdout or len(set(ranges.values())) == 1

    asked = ["--spread", "preprocessing", "--format", "json", "--models", f"*{MODELS[1]}"]
    content = json.loads(call(lambda: table(), asked, folder=tmp_path).stdout)
    (cell,) = content["cells"]
    assert cell["range"] == pytest.approx(ranges[MODELS[1]])
    assert f"moves the score by {ranges[MODELS[1]]:.1f} points" in content["answer"]
