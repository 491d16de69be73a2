"""Every file in conf/model, against what timm, torchvision and the published run say."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torchvision import models

from oodbench.core.building import build
from oodbench.core.schema import ModelConfig, RunConfig
from oodbench.models.facts import register_model_facts
from oodbench.reference import read_table

CONF = Path(__file__).parents[2] / "conf"
FILES = sorted((CONF / "model").glob("*.yaml"))
GENERIC = {"timm", "torchvision", "checkpoint", "transformers", "onnx"} | {
    *("open_clip", "transformers_clip")
}
PUBLISHED = sorted({row["model"] for row in read_table("published_results.csv")})

# Native sizes in the README of eminorhan/ood-benchmarks; 224 for the rest.
SIZES = {"b1": 240, "b2": 260, "b3": 300, "b4": 380, "b5": 456, "b6": 528, "b7": 600, "b8": 672}
SIZES |= {"l2": 800, "l2_475": 475}

TORCHVISION = {
    "resnet50": models.ResNet50_Weights.IMAGENET1K_V1,
    "resnext101_32x8d": models.ResNeXt101_32X8D_Weights.IMAGENET1K_V1,
}


def shipped(name: str) -> ModelConfig:
    node = OmegaConf.load(CONF / "model" / f"{name}.yaml")
    if name == "moco_v2":
        node.weights.head_file = None  # refers to the root of the config
    model = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(ModelConfig), node))
    assert isinstance(model, ModelConfig)
    return model


def composed(*overrides: str) -> dict[str, Any]:
    register_model_facts()
    store = ConfigStore.instance()
    store.store(name="model_test_schema", node=RunConfig)
    defaults = ["model_test_schema", {"model": "???"}, "_self_"]
    store.store(name="model_test", node={"defaults": defaults, "weights": {"dir": "w"}})
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("model_test", list(overrides))
    return {
        "model": OmegaConf.to_container(config.model, resolve=True, throw_on_missing=True),
        "attack": OmegaConf.to_container(config.attack, resolve=True, throw_on_missing=True),
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_is_short_and_says_where_its_weights_come_from(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 24
    assert lines[0].startswith("# ")
    assert lines[1].startswith("# ")


def test_the_26_published_models_are_there() -> None:
    assert len(PUBLISHED) == 26
    assert set(PUBLISHED) <= {path.stem for path in FILES}


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.stem for path in FILES if path.stem not in GENERIC])
def test_network_has_the_stated_parameters(name: str) -> None:
    model = shipped(name)
    assert model.name == name
    with torch.device("meta"):
        network = build(model.network, "model.network")
    count = sum(tensor.numel() for tensor in network.parameters())
    assert model.parameters is not None
    assert abs(count / 1e6 - model.parameters) <= 0.001


@pytest.mark.parametrize("name", [n for n in PUBLISHED if n.startswith("tf_")])
def test_published_efficientnets_are_those_of_timm(name: str) -> None:
    """The facts that travel with the same file in timm."""
    model = shipped(name)
    base = model.network["architecture"]
    tagged = timm.list_models(f"{base}.*", pretrained=True)
    facts = [timm.get_pretrained_cfg(tag) for tag in tagged]
    (same,) = [fact for fact in facts if fact.url == model.weights.url]
    assert model.input_size == same.input_size[-1]
    assert model.crop_pct == same.crop_pct
    assert model.interpolation == same.interpolation
    assert (model.mean, model.std) == (list(same.mean), list(same.std))
    assert model.weights.license == same.license
    assert model.family == "tf_efficientnet"
    assert ("ns_jft" in str(same.tag)) is ("_ns" in name)
    key = name.removeprefix("tf_efficientnet_").replace("_ns", "")
    assert model.input_size == SIZES.get(key, 224)


@pytest.mark.parametrize("name", [n for n in PUBLISHED if not n.startswith("tf_")])
def test_published_resnets(name: str) -> None:
    model = shipped(name)
    assert (model.family, model.input_size, model.crop_pct) == ("default", 224, 0.875)
    assert model.interpolation == "bilinear"
    assert (model.mean, model.std) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    if name in TORCHVISION:
        assert model.weights.url == TORCHVISION[name].url


@pytest.mark.parametrize("name", [n for n in PUBLISHED if n != "moco_v2"])
def test_hash_is_the_one_in_the_file_name(name: str) -> None:
    """torch.hub's convention: NAME-<first hex digits of sha256>.pth."""
    weights = shipped(name).weights
    assert weights.url is not None
    assert weights.hash == f"sha256:{weights.url.rsplit('-', 1)[1].removesuffix('.pth')}"
    assert len(weights.hash) == len("sha256:") + 8


def test_head_of_moco_is_looked_for_among_the_weights() -> None:
    assert composed("model=moco_v2")["model"]["weights"]["head_file"] == "w/moco_v2_head.pth.tar"


def test_timm() -> None:
    model = composed("model=timm", "model.timm_name=resnet18.tv_in1k")["model"]
    assert model["name"] == "resnet18.tv_in1k"
    assert (model["input_size"], model["crop_pct"]) == (224, 0.875)
    assert model["interpolation"] == "bilinear"
    assert model["weights"]["hub"] == "timm/resnet18.tv_in1k"
    assert model["network"]["architecture"] == "resnet18.tv_in1k"
    assert model["classes"] == "imagenet_1k"


def test_a_bare_timm_name_becomes_the_full_one() -> None:
    tag = timm.get_pretrained_cfg("resnet18").tag
    model = composed("model=timm", "model.timm_name=resnet18")["model"]
    assert model["name"] == model["network"]["architecture"] == f"resnet18.{tag}"
    assert model["timm_name"] == "resnet18"


def test_timm_with_another_head() -> None:
    model = composed("model=timm", "model.timm_name=vit_base_patch16_224.augreg_in21k")["model"]
    assert model["classes"] == "imagenet_21k_google"


def test_a_head_of_no_known_list_works_with_the_users_own() -> None:
    overrides = ["model=timm", "model.timm_name=mvitv2_base_cls.fb_inw21k"]
    with pytest.raises(OmegaConfBaseException, match="set model.classes=FILE"):
        composed(*overrides)
    assert composed(*overrides, "model.classes=mine.txt")["model"]["classes"] == "mine.txt"


def test_transformers_folder(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.safetensors").touch()
    (folder / "config.json").write_text('{"model_type": "vit", "num_labels": 1001}')
    (folder / "preprocessor_config.json").write_text(
        '{"size": 32, "resample": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}'
    )
    model = composed("model=transformers", f"model.repository={folder}")["model"]
    assert (model["name"], model["input_size"], model["crop_pct"]) == ("mine", 32, 1.0)
    assert (model["interpolation"], model["mean"]) == ("bilinear", [0.5, 0.5, 0.5])
    assert model["classes"] == "imagenet_1k_background"
    assert model["network"]["config"] == '{"model_type": "vit", "num_labels": 1001}'
    assert model["weights"]["file"] == f"{folder}/model.safetensors"
    assert (model["weights"]["hub"], model["weights"]["layout"]) == (None, "transformers")


def test_onnx() -> None:
    model = composed("model=onnx", "weights.file=some/net.onnx")["model"]
    assert model["name"] == "net"
    assert (model["weights"]["file"], model["weights"]["layout"]) == ("some/net.onnx", "onnx")


def test_torchvision() -> None:
    model = composed("model=torchvision", "model.name=resnet18")["model"]
    assert model["network"]["architecture"] == "resnet18"
    assert model["weights"]["url"] == models.ResNet18_Weights.DEFAULT.url
    assert model["weights"]["hash"] == "sha256:f37072fd"


def test_checkpoint() -> None:
    model = composed("model=checkpoint", "model.arch=resnet18", "weights.file=a.pth")["model"]
    assert model["name"] == "resnet18"
    assert model["network"]["architecture"] == "resnet18"
    assert model["weights"]["file"] == "a.pth"
    named = ("model=checkpoint", "model.arch=resnet18", "weights.file=a.pth", "model.name=mine")
    assert composed(*named)["model"]["name"] == "mine"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=timm"], "model.timm_name is missing"),
        (["model=timm", "model.timm_name=rsnet18.tv_in1k"], "timm has no model rsnet18.tv_in1k"),
        (["model=torchvision"], "name"),
        (["model=transformers"], "model.repository is missing"),
        (["model=onnx"], "weights.file is missing"),
        (["model=checkpoint", "weights.file=a.pth"], "model.arch is missing"),
        (["model=checkpoint", "model.arch=resnet18"], "weights.file is missing"),
    ],
)
def test_missing_keys_of_generic_models_are_named(overrides: list[str], message: str) -> None:
    with pytest.raises(OmegaConfBaseException, match=message):
        composed(*overrides)


def test_second_model_reads_its_own_keys() -> None:
    """As the source of a transfer attack, mounted elsewhere in the config."""
    config = composed(
        "model=timm",
        "model.timm_name=resnet18.tv_in1k",
        "+model@attack.source=timm",
        "attack.source.timm_name=resnet34.tv_in1k",
    )
    assert config["model"]["name"] == "resnet18.tv_in1k"
    source = config["attack"]["source"]
    assert source["network"]["architecture"] == source["name"] == "resnet34.tv_in1k"
    assert source["weights"]["hub"] == "timm/resnet34.tv_in1k"
