"""Transfer attacks through config, key, command line and table."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from configs import composed, split
from toys import TOY_MODEL, Cli, command

from oodbench.core.schema import RunConfig
from oodbench.runs.key import key_document, run_key, transfer_document
from oodbench.runs.naming.difference import difference
from oodbench.runs.records import read_split

SWEEP = ("benchmark=adversarial", "attack=transfer", "preprocessing=timm")
SOURCE = "model@attack.source=toy2"
TRANSFER = ("benchmark=adversarial", "attack=transfer", "model@attack.source=efficientnet_lite0")


def document(run: RunConfig, source_weights: str = "sha256:5") -> dict[str, Any]:
    return key_document(
        run,
        weights="sha256:0",
        splits=[split()],
        device_type="cpu",
        source_weights=source_weights,
    )


def key(*overrides: str, **others: str) -> str:
    return run_key(document(composed(*TRANSFER, *overrides), **others))


def store_key(*overrides: str, **others: str) -> str:
    return run_key(transfer_document(document(composed(*TRANSFER, *overrides), **others)))


@pytest.mark.parametrize(
    "override",
    [
        "model@attack.source=efficientnet_lite1",
        "attack.source.mean=[0.4,0.4,0.4]",
        "attack.source.network.architecture=other",
        "attack@attack.attack=pgd_l2",
        "attack.attack.eps=0.01",
        "seed=1",
        "preprocessing.resize=200",
    ],
)
def test_what_changes_the_pictures_is_in_both_keys(override: str) -> None:
    assert key(override) != key()
    assert store_key(override) != store_key()


def test_the_weights_of_the_source_are_in_both_keys() -> None:
    assert key(source_weights="sha256:6") != key()
    assert store_key(source_weights="sha256:6") != store_key()


@pytest.mark.parametrize(
    "override",
    [
        "attack.source.name=other",
        "attack.source.family=default",
        "attack.source.weights.license=x",
        "attack.attack.name=other",
    ],
)
def test_names_are_in_neither_key(override: str) -> None:
    assert key(override) == key()


@pytest.mark.parametrize("override", ["model=resnext101_32x8d", "model.mean=[0.4,0.4,0.4]"])
def test_all_targets_share_the_pictures(override: str) -> None:
    # The ResNeXt has the family and so the published pipeline of resnet50.
    assert key(override) != key()
    assert store_key(override) == store_key()


def test_the_native_size_of_a_target_is_in_the_key_of_the_pictures() -> None:
    assert store_key("model=efficientnet_lite1") != store_key("model=efficientnet_lite2")
    fixed = "preprocessing=resize256_crop224"
    assert store_key("model=efficientnet_lite1", fixed) == store_key("model=resnet50", fixed)


def test_an_attack_without_a_source_keeps_its_key() -> None:
    run = composed("attack=pgd_targeted", "benchmark=adversarial")
    plain = key_document(run, weights="w", splits=[split()], device_type="cpu")
    assert "source" not in plain["attack"]


def test_the_difference_names_the_source_and_not_its_fields() -> None:
    found = difference(composed(*TRANSFER, "attack.attack.eps=0.01"))
    assert found == [
        "attack=transfer",
        "attack.source=efficientnet_lite0",
        "attack.attack=pgd_all_steps",
        "attack.attack.eps=0.01",
    ]


@pytest.fixture
def two_toys(toy: Path) -> Path:
    """A second toy model with other weights."""
    second = TOY_MODEL.replace("name: toy", "name: toy2").replace("toy-v1", "toy-v2")
    second = second.replace("toy_network.Toy\n", "toy_network.Toy\n  seed: 1\n")
    (toy / "my_conf" / "model" / "toy2.yaml").write_text(second)
    return toy


def folders(root: Path, model: str) -> list[Path]:
    return [path.parent for path in (root / "outputs/runs/adversarial" / model).glob("*/*.json")]


def test_a_sweep_over_targets_makes_the_pictures_once(two_toys: Path, cli: Cli) -> None:
    first = cli("model=toy", *SWEEP, SOURCE, "limit=4")
    assert first.returncode == 0, first.stdout
    pictures = sorted((two_toys / "outputs" / "transfer").rglob("*.npz"))
    assert len(pictures) == 4
    times = [path.stat().st_mtime_ns for path in pictures]
    done = cli("-m", "model=toy,toy2", *SWEEP, SOURCE, "engine.batch_size=3")
    assert done.returncode == 0, done.stdout
    assert [path.stat().st_mtime_ns for path in pictures] == times
    (store,) = (two_toys / "outputs" / "transfer").iterdir()
    assert json.loads((store / "key.json").read_text())["attack"]["source"]["weights"] == "toy-v2"
    assert len(list(store.rglob("*.npz"))) == 30
    records = {}
    for model in ("toy", "toy2"):
        (result,) = (two_toys / "outputs/runs/adversarial" / model).glob("*/result.json")
        records[model] = read_split(result.parent / "records", "")
        assert json.loads(result.read_text())["difference"][-4:] == [
            "attack=transfer",
            "attack.source=toy2",
            "attack.attack=pgd_all_steps",
            "attack.attack.eps=8/255",
        ]
    white, black = records["toy2"], records["toy"]
    for column in ("image", "linf", "source_succeeded", "source_prediction"):
        assert (white[column] == black[column]).all()
    assert (white["prediction"] == white["source_prediction"]).all()
    assert (black["linf"] <= np.float32(8 / 255) + 1e-6).all()
    assert (black["attack_succeeded"] == (black["prediction"] != black["label"])).all()


def test_a_finished_transfer_run_is_skipped_without_torch(two_toys: Path, cli: Cli) -> None:
    arguments = ("model=toy", *SWEEP, SOURCE, "limit=2")
    assert cli(*arguments).returncode == 0
    line, environment = command(two_toys, *arguments)
    line[1:3] = ["-X", "importtime", "-m", "oodbench.run"]
    again = subprocess.run(
        line, cwd=two_toys, env=environment, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0
    assert "done already" in again.stderr
    imported = {entry.rsplit("|", 1)[-1].strip() for entry in again.stderr.splitlines()}
    assert "oodbench.runs.plan" in imported
    assert not imported & {"torch", "torchvision", "timm", "torchattacks"}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], "attack.source is missing: name a model config, model@attack.source=NAME"),
        ([SOURCE, "+attack.source.meen=[0,0,0]"], "unknown key meen"),
        ([SOURCE, "attack.source.weights.identity=null"], "attack.source.weights.identity=NAME"),
        ([SOURCE, "attack@attack.attack=none"], "attack@attack.attack=NAME"),
    ],
)
def test_mistakes_are_one_line(two_toys: Path, cli: Cli, overrides: list[str], said: str) -> None:
    refused = cli("model=toy", *SWEEP, *overrides)
    assert refused.returncode == 1
    assert said in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
