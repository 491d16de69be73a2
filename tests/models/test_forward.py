"""Every published model is built and run."""

import pytest
import timm
import torch
from shipped_models import shipped
from torch import nn
from torchvision.transforms import Normalize

from oodbench.models.build import build_classifier, count_parameters
from oodbench.reference import read_table

# Millions of parameters, from timm's results and, for 48d, from torchvision's ResNet.
PUBLISHED = {row["model"] for row in read_table("published_results.csv")}
EFFICIENTNETS = {"b0": 5.289, "b1": 7.794, "b2": 9.110, "b3": 12.233, "b4": 19.342, "b5": 30.390}
EFFICIENTNETS |= {"b6": 43.041, "b7": 66.348, "b8": 87.413}
SIZES = {"b0": 224, "b1": 240, "b2": 260, "b3": 300, "b4": 380}

NATIVE = {
    "moco_v2": (224, 25.557),
    "resnet50": (224, 25.557),
    "resnext101_32x8d": (224, 88.791),
    "resnext101_32x8d_wsl": (224, 88.791),
} | {
    f"tf_efficientnet_{version}{suffix}": (size, EFFICIENTNETS[version])
    for version, size in SIZES.items()
    for suffix in ("", "_ns")
}
SMALL = {"resnext101_32x16d_wsl": 194.027, "tf_efficientnet_b8": EFFICIENTNETS["b8"]} | {
    f"tf_efficientnet_{version}{suffix}": EFFICIENTNETS[version]
    for version in ("b5", "b6", "b7")
    for suffix in ("", "_ns")
}
LARGE = {
    "resnext101_32x32d_wsl": 468.530,
    "resnext101_32x48d_wsl": 828.411,
    "tf_efficientnet_l2_ns": 480.309,
}
L2_475 = "tf_efficientnet_l2_ns_475"


def test_all_26_are_below() -> None:
    listed = [*NATIVE, *SMALL, *LARGE, L2_475]
    assert len(listed) == 26
    assert set(listed) == PUBLISHED


@pytest.mark.slow
@pytest.mark.parametrize("name", NATIVE)
def test_at_native_size(name: str) -> None:
    size, parameters = NATIVE[name]
    model = shipped(name, random_seed=0)
    assert model.input_size == size
    assert_classifies(build_classifier(model, weights_files=[]), size=size, parameters=parameters)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_at_small_size(name: str) -> None:
    classifier = build_classifier(shipped(name, random_seed=0), weights_files=[])
    assert_classifies(classifier, size=64, parameters=SMALL[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_at_small_size(name: str) -> None:
    classifier = build_classifier(shipped(name, random_seed=0), weights_files=[])
    assert_classifies(classifier, size=64, parameters=LARGE[name])


@pytest.mark.slow
def test_l2_at_475_is_timms() -> None:
    model = shipped(L2_475, random_seed=0)
    assert model.input_size == 475
    classifier = build_classifier(model, weights_files=[])
    logits = assert_classifies(classifier, size=475, parameters=480.309)
    with torch.device("meta"):
        reference = timm.create_model("tf_efficientnet_l2.ns_jft_in1k_475")
    reference.load_state_dict(classifier.network.state_dict(), strict=True, assign=True)
    with torch.inference_mode():
        expected = reference.eval()(Normalize(model.mean, model.std)(picture(475)))
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


def picture(size: int) -> torch.Tensor:
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))


def assert_classifies(network: nn.Module, *, size: int, parameters: float) -> torch.Tensor:
    assert count_parameters(network) == pytest.approx(parameters, abs=0.001)
    with torch.inference_mode():
        logits: torch.Tensor = network.eval()(picture(size))
    assert logits.shape == (1, 1000)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert logits.std() > 0
    return logits
