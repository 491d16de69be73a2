"""Tiny classifiers that transformers itself saves."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)

from oodbench.core.errors import ConfigError, WeightsError
from oodbench.models.classifier import Classifier
from oodbench.models.huggingface import transformers_network
from oodbench.models.huggingface_facts import transformers_fact
from oodbench.reference import read_table

LEMMAS = [row["lemmas"] for row in read_table("imagenet_1k_names.csv")]
SETTINGS = {
    "image_processor_type": "ViTImageProcessor",
    "size": {"height": 32, "width": 32},
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.25, 0.5],
    "resample": 3,
}


def labels(names: list[str]) -> dict[str, Any]:
    return {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}


def vit(folder: Path, names: list[str] = LEMMAS) -> ViTForImageClassification:
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        **labels(names),
    )
    return written(ViTForImageClassification(config), folder)


def resnet(folder: Path) -> ResNetForImageClassification:
    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], num_labels=1000)
    model = ResNetForImageClassification(config)
    # Running means and variances that differ from the initial ones.
    model.train()(torch.rand(4, 3, 32, 32))
    return written(model, folder)


def written(model: Any, folder: Path) -> Any:
    model.eval().save_pretrained(folder)
    preprocessor(folder)
    return model


def preprocessor(folder: Path, **changes: Any) -> None:
    (folder / "preprocessor_config.json").write_text(json.dumps({**SETTINGS, **changes}))


def network(folder: Path, **others: Any) -> torch.nn.Module:
    config = transformers_fact(str(folder), "config")
    file = transformers_fact(str(folder), "file")
    return transformers_network(config=config, weights_file=file, **others)


@pytest.mark.parametrize("make", [vit, resnet])
def test_logits_are_the_models_own_on_normalised_pixels(tmp_path: Path, make: Any) -> None:
    source = make(tmp_path)
    mean, std = (transformers_fact(str(tmp_path), key) for key in ("mean", "std"))
    classifier = Classifier(network(tmp_path), mean=mean, std=std)
    images = torch.rand(2, 3, 32, 32)
    normalised = (images - torch.tensor(SETTINGS["image_mean"]).view(3, 1, 1)) / torch.tensor(
        SETTINGS["image_std"]
    ).view(3, 1, 1)
    with torch.inference_mode():
        torch.testing.assert_close(classifier(images), source(normalised).logits)


def test_a_network_that_takes_bgr(tmp_path: Path) -> None:
    source = vit(tmp_path)
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        found = network(tmp_path, flip_channels=True).eval()(images)
        torch.testing.assert_close(found, source(images[:, [2, 1, 0]]).logits)


def test_random_weights(tmp_path: Path) -> None:
    vit(tmp_path)
    config = transformers_fact(str(tmp_path), "config")
    assert transformers_network(config=config)(torch.rand(1, 3, 32, 32)).shape == (1, 1000)


def test_half_precision_is_computed_in_float32(tmp_path: Path) -> None:
    source = vit(tmp_path).half()
    source.save_pretrained(tmp_path)
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        found = network(tmp_path).eval()(images)
        torch.testing.assert_close(found, source.float()(images).logits)


def test_background_comes_first_of_1001(tmp_path: Path) -> None:
    source = vit(tmp_path, ["background", *LEMMAS])
    classes = transformers_fact(str(tmp_path), "classes")
    assert classes == "imagenet_1k_background"
    classifier = Classifier(network(tmp_path), mean=[0] * 3, std=[1] * 3, classes=classes)
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(classifier(images), source(images).logits[:, 1:])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (LEMMAS[::-1], "label 0 is 'toilet tissue, .*', but output 0 of imagenet_1k is 'tench"),
        ([*LEMMAS, "background"], "label 0 is 'tench, Tinca tinca', but output 0"),
        (["cat", "dog"], "has 2 outputs, the classes of no list"),
    ],
)
def test_other_classes_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(labels(names)))
    with pytest.raises(ConfigError, match=rf"{message}.*set model.classes=FILE"):
        transformers_fact(str(tmp_path), "classes")


def test_nameless_outputs_are_taken_in_order(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"num_labels": 21841}))
    assert transformers_fact(str(tmp_path), "classes") == "imagenet_22k"


@pytest.mark.parametrize(
    ("settings", "size", "crop_pct"),
    [
        # Sizes of google/vit-base-patch16-224, microsoft/resnet-50, facebook/deit-base, in order.
        ({"size": 224}, 224, 1.0),
        (
            {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": 224},
            224,
            0.875,
        ),
        (
            {
                "size": {"height": 256, "width": 256},
                "do_center_crop": True,
                "crop_size": {"height": 224, "width": 224},
            },
            224,
            0.875,
        ),
        # ConvNeXt (image_processing_convnext.py): crop_pct below 384, the whole picture from there.
        (
            {
                "size": {"shortest_edge": 224},
                "crop_pct": 0.875,
                "image_processor_type": "ConvNextImageProcessor",
            },
            224,
            0.875,
        ),
        (
            {
                "size": {"shortest_edge": 384},
                "crop_pct": 0.875,
                "image_processor_type": "ConvNextImageProcessor",
            },
            384,
            1.0,
        ),
        # LeViT (image_processing_levit.py): int(256 / 224 * 224) pixels, then the crop.
        (
            {
                "size": {"shortest_edge": 224},
                "do_center_crop": True,
                "crop_size": 224,
                "image_processor_type": "LevitImageProcessor",
            },
            224,
            0.875,
        ),
    ],
)
def test_size_and_crop(tmp_path: Path, settings: Any, size: int, crop_pct: float) -> None:
    preprocessor(tmp_path, **settings)
    assert transformers_fact(str(tmp_path), "input_size") == size
    assert transformers_fact(str(tmp_path), "crop_pct") == crop_pct


def test_normalisation(tmp_path: Path) -> None:
    def found(**changes: Any) -> tuple[list[float], list[float]]:
        preprocessor(tmp_path, **changes)
        return transformers_fact(str(tmp_path), "mean"), transformers_fact(str(tmp_path), "std")

    assert found() == ([0.5, 0.4, 0.3], [0.2, 0.25, 0.5])
    assert found(do_normalize=False) == ([0.0] * 3, [1.0] * 3)
    assert found(image_processor_type="MobileViTImageProcessor") == ([0.0] * 3, [1.0] * 3)
    twice = found(image_processor_type="EfficientNetImageProcessor", include_top=True)
    # ((x - mean) / std - 0) / std, as in image_processing_efficientnet.py.
    assert twice == ([0.5, 0.4, 0.3], pytest.approx([0.04, 0.0625, 0.25]))
    preprocessor(tmp_path, do_flip_channel_order=True)
    assert transformers_fact(str(tmp_path), "flip_channels") is True


@pytest.mark.parametrize(
    ("field", "changes", "message"),
    [
        ("input_size", {"size": {"height": 2, "width": 3}}, "set model.input_size and model.crop"),
        ("input_size", {"size": None}, "size is None: set model.input_size"),
        ("interpolation", {"resample": None}, "resample is None: set model.interpolation"),
        ("mean", {"do_rescale": False}, "not scaled to .0, 1.: set model.mean and model.std"),
        ("mean", {"rescale_factor": 1 / 127.5}, "not scaled to .0, 1.: set model.mean"),
        ("std", {"rescale_offset": True}, "rescale_offset shifts the pixels: set model.mean"),
        ("std", {"image_std": None}, r"image_std \[\]: set model.mean and model.std"),
        ("sizes", {}, "unknown field sizes; available: name, input_size"),
    ],
)
def test_what_is_unclear_names_the_key(
    tmp_path: Path, field: str, changes: Any, message: str
) -> None:
    preprocessor(tmp_path, **changes)
    with pytest.raises(ConfigError, match=message):
        transformers_fact(str(tmp_path), field)


def test_names_and_places(tmp_path: Path) -> None:
    vit(tmp_path / "mine")
    folder = str(tmp_path / "mine")
    assert transformers_fact(folder, "name") == "mine"
    assert transformers_fact(folder, "hub") is None
    assert transformers_fact(folder, "file") == f"{folder}/model.safetensors"
    assert transformers_fact("google/vit-base-patch16-224", "name") == "vit-base-patch16-224"
    assert transformers_fact("google/vit-base-patch16-224", "hub") == "google/vit-base-patch16-224"
    assert transformers_fact("google/vit-base-patch16-224", "file") is None


def test_the_config_holds_what_changes_numbers_and_no_place(tmp_path: Path) -> None:
    vit(tmp_path)
    found = json.loads(transformers_fact(str(tmp_path), "config"))
    assert (found["model_type"], found["num_labels"], found["patch_size"]) == ("vit", 1000, 8)
    assert not {"id2label", "_name_or_path", "transformers_version"} & set(found)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"auto_map": {}, "model_type": "vit"}', "needs code of its own"),
        ('{"architecture": "resnet50", "pretrained_cfg": {}}', "is a model of timm: model=timm"),
        ("{}", "no model_type"),
        ("[]", "is no JSON object"),
        ("{", "is model.repository right"),
        ('{"model_type": "vit", "x": "${oc.env:HOME}"}', r"has a '\$\{'"),
    ],
)
def test_a_config_that_cannot_be_used_is_refused(tmp_path: Path, config: str, message: str) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ConfigError, match=message):
        transformers_fact(str(tmp_path), "config")


def test_a_repository_that_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match="model.repository=no/such: no such folder, and config"):
        transformers_fact("no/such", "config", download=False)


def test_shards(tmp_path: Path) -> None:
    source = vit(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    source.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("model-*-of-*.safetensors"))) > 1
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        found = network(tmp_path).eval()(images)
        torch.testing.assert_close(found, source(images).logits)
    assert transformers_fact(str(tmp_path), "file").endswith("model.safetensors.index.json")


def test_only_safetensors(tmp_path: Path) -> None:
    source = vit(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(source.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(
        ConfigError,
        match=r"model.safetensors: no such file; weights in a pickle are not read: save",
    ):
        transformers_fact(str(tmp_path), "file")
    with pytest.raises(WeightsError, match="must be a .safetensors file"):
        transformers_network(
            config=transformers_fact(str(tmp_path), "config"),
            weights_file=str(tmp_path / "pytorch_model.bin"),
        )


@pytest.mark.parametrize("kind", ["missing", "unexpected", "mismatched"])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, kind: str) -> None:
    vit(tmp_path)
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    if kind == "missing":
        del tensors["classifier.bias"]
    elif kind == "unexpected":
        tensors["more"] = torch.zeros(1)
    else:
        tensors["classifier.bias"] = torch.zeros(10)
    save_file(tensors, file)
    with pytest.raises(
        WeightsError, match=rf"does not fit the network: tensors {kind} 1 "
    ) as caught:
        network(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["no_such_type", "bert", "gpt2"])
def test_a_type_without_an_image_classifier_is_refused(kind: str) -> None:
    config = json.dumps({"model_type": kind, "num_labels": 1000})
    with pytest.raises(ConfigError, match=f"transformers has no image classifier {kind}"):
        transformers_network(config=config)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[transformers\]'"):
        transformers_network(config="{}")


def test_facts_are_read_without_torch_and_transformers(tmp_path: Path) -> None:
    vit(tmp_path)
    program = f"""
import sys
from oodbench.models.huggingface_facts import _FIELDS, transformers_fact
for field in _FIELDS.keys() - {{'tokenizer_hash'}}:
    transformers_fact({str(tmp_path)!r}, field)
print(sorted({{"torch", "timm", "transformers"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
