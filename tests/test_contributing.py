"""The recipes of CONTRIBUTING.md, run as they stand there."""

import csv
import re
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from documents import ROOT, blocks
from engine_toys import classifier, expected, pictures
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from run_factory import run_result, store

from oodbench.benchmarks.base import Benchmark
from oodbench.core.building import build, check_arguments
from oodbench.core.schema import RunConfig, validate
from oodbench.engines.choose import prepared
from oodbench.models.build import build_classifier
from oodbench.models.class_lists import NAMES, class_list, missing_classes
from oodbench.models.weights import find_weights
from oodbench.reference import read_table
from oodbench.reports.published import sources
from oodbench.sweeps.composing import register_all

RECIPES = {
    block.argument: block.text
    for block in blocks(ROOT / "CONTRIBUTING.md")
    if block.language in ("python", "yaml", "csv")
}
"""File name -> content."""

CONFIGS = [Path(name) for name in RECIPES if name.endswith(".yaml")]
# my_conf/model/mynet.yaml is chosen by model=mynet; of a group with two recipes the first is.
OVERRIDES = [
    f"{group}={name}" for group, name in {p.parent.name: p.stem for p in CONFIGS[::-1]}.items()
]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, with the files of the recipes, as the current one."""
    for name, text in RECIPES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("OODBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def config(work: Path) -> RunConfig:
    """All recipes in one run."""
    return composed(work, *OVERRIDES)


def composed(work: Path, *overrides: str) -> RunConfig:
    register_all()
    GlobalHydra.instance().clear()
    search = f"hydra.searchpath=[file://{work / 'my_conf'}]"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return validate(compose("config", [search, *overrides]))


def test_there_is_a_recipe_for_each_group() -> None:
    groups = sorted(override.split("=")[0] for override in OVERRIDES)
    assert groups == ["attack", "benchmark", "engine", "model", "preprocessing"]


def test_model_is_built_with_its_weights(config: RunConfig, work: Path) -> None:
    trained = import_module("mypackage").MyNet(width=8)
    torch.save(trained.state_dict(), work / "mynet.pth")
    files = find_weights(config.model.name, config.model.weights, work, download=False)
    classifier = build_classifier(config.model, weights_files=files)
    images = torch.rand(2, 3, 224, 224)
    mean, std = (
        torch.tensor(values)[:, None, None] for values in (config.model.mean, config.model.std)
    )
    with torch.no_grad():
        expected = trained((images - mean) / std)
        torch.testing.assert_close(classifier(images), expected, rtol=0, atol=1e-5)


def test_function_is_a_model(work: Path) -> None:
    model = composed(work, "model=mypredict").model
    assert find_weights(model.name, model.weights, work, download=False) == []
    classifier = build_classifier(model, weights_files=[])
    classifier.check_outputs(model.input_size)
    images = torch.rand(2, 3, 8, 8)
    mean, std = (torch.tensor(values)[:, None, None] for values in (model.mean, model.std))
    expected = import_module("mypredict").predict((images - mean) / std)[:, 1:]
    found = classifier(images).softmax(1).numpy()
    np.testing.assert_allclose(found, expected / expected.sum(1, keepdims=True), rtol=1e-5)
    assert model.weights.identity == "mypredict-2024-05"


def test_class_lists_are_those_that_there_are() -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(imagenet_\w+)`[^|]*\| (\d+)[^|]*\| (\d+|none)", text, re.MULTILINE)
    assert [name for name, _, _ in rows] == list(NAMES)
    for name, outputs, lacking in rows:
        assert len(class_list(name)) == int(outputs)
        assert len(missing_classes(name)) == int(lacking.replace("none", "0"))


def test_benchmark_is_accepted_by_its_class(config: RunConfig) -> None:
    assert config.benchmark.root == "data/my-folders"
    check_arguments(config.benchmark.protocol, "benchmark.protocol")


@pytest.mark.parametrize("group", ["preprocessing", "attack"])
def test_preprocessing_and_attack_are_built(config: RunConfig, group: str) -> None:
    node = getattr(config, group)
    assert f"{group}={build(node, group).name}" in OVERRIDES


def test_metric_scores_the_records_beside_ours(config: RunConfig) -> None:
    benchmark: Benchmark = build(config.benchmark.protocol, "benchmark.protocol")
    records = pd.DataFrame(
        {
            "label": [0, 0, 1, 1, 2],
            "prediction": [0, 1, 0, 1, 3],
            "confidence": [0.9, 0.9, 0.3, 0.4, 0.6],
            "top5": [[0, 1, 2, 3, 4]] * 5,
        }
    )
    scores = benchmark.score([("", records)])[""]
    # The second and the last picture are wrong with a confidence above one half.
    assert (scores["confidently_wrong"].value, scores["top1"].value) == (0.4, 0.4)
    assert scores["confidently_wrong"].higher_is_better is False


def test_engine_computes_in_double_precision(config: RunConfig, tmp_path: Path) -> None:
    model = classifier()
    pixels = pictures(3)
    forward = prepared(config.engine, model, pixels, cache_dir=tmp_path, model_identity=None)
    found = forward.start(pixels).result()
    assert forward.name == "float64"
    np.testing.assert_allclose(found, expected(model, pixels), atol=1e-4)
    twin = import_module("myengine").InDouble(model)
    with torch.no_grad():
        assert twin(torch.rand(1, 3, 8, 8)).dtype == torch.float64
        assert model(torch.rand(1, 3, 8, 8)).dtype == torch.float32


def test_command_counts_runs(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (command,) = (name for name in RECIPES if name.startswith("src/oodbench/cli/"))
    main = runpy.run_path(str(work / command))["main"]
    store(run_result("resnet50"), tmp_path / "outputs")
    store(run_result("moco_v2"), tmp_path / "outputs")
    assert main(["--output-root", str(tmp_path / "outputs")]) == 0
    assert capsys.readouterr().out == "finished runs: 2\n"


def test_reference_value_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    (name,) = (Path(name) for name in RECIPES if name.endswith(".csv"))
    shipped = read_table(name.name)
    (added,) = csv.DictReader(RECIPES[str(name)].splitlines())
    assert (ROOT / name).is_file()
    assert list(added) == list(shipped[0])
    tables = {name.name: [*shipped, added]}
    monkeypatch.setattr(sources, "read_table", lambda table: tables.get(table, []))
    (found,) = sources.references(added["model"], added["benchmark"], added["metric"])
    assert (found.source, found.value, found.decimals) == ("literature", 61.3, 1)
    assert found.pipeline == sources.RESIZE256_CROP224


def test_command_line_finds_the_folder(work: Path) -> None:
    command = [sys.executable, "-m", "oodbench.run", "--config-dir", "my_conf", *OVERRIDES]
    done = subprocess.run(
        [*command, "--cfg", "job", "--resolve"],
        cwd=work,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    printed = OmegaConf.create(done.stdout)
    for override in OVERRIDES:
        group, name = override.split("=")
        assert OmegaConf.select(printed, f"{group}.name") == name
