"""The recipes of CONTRIBUTING.md, run as they stand there."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from oodbench.core.building import build, check_arguments
from oodbench.core.schema import RunConfig, validate
from oodbench.models.build import build_classifier
from oodbench.models.class_lists import NAMES, class_list, missing_classes
from oodbench.models.weights import find_weights
from oodbench.sweeps.composing import register_all

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(?:yaml|python) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RECIPES = dict(BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
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
    assert groups == ["attack", "benchmark", "model", "preprocessing"]


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
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
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
