from typing import Any

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from oodbench.core.errors import ConfigError, WeightsError
from oodbench.models.networks import (
    function_network,
    resnext101_wsl,
    timm_network,
    torchvision_network,
)


def test_timm_and_torchvision_resnet50_are_one_network() -> None:
    ours = timm_network(architecture="resnet50").eval()
    theirs = torchvision_network(architecture="resnet50").eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), theirs(images), rtol=0, atol=1e-5)


@pytest.mark.parametrize("width", [8, 16, 32])
def test_resnext_wsl_has_the_tensors_of_timm_where_timm_has_the_network(width: int) -> None:
    with torch.device("meta"):
        ours = resnext101_wsl(base_width=width).state_dict()
        theirs = timm.create_model(f"resnext101_32x{width}d").state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


def test_tag_decides_the_classes_without_a_download() -> None:
    with torch.device("meta"):
        network = timm_network(architecture="mobilenetv3_large_100.miil_in21k")
        assert network(torch.empty(1, 3, 224, 224)).shape == (1, 11221)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("resnt50", "resnet50"),
        ("resnet50.a1_in1", "resnet50.a1_in1k"),
        # timm would warn and build the 32x8d, a tenth of the size.
        ("ig_resnext101_32x48d", "resnext101_32x"),
        ("hf-hub:timm/resnet50", "none"),
    ],
)
def test_unknown_timm_names_are_refused(name: str, near: str) -> None:
    with pytest.raises(ConfigError, match=rf"timm has no model {name}; close names: .*{near}"):
        timm_network(architecture=name)


def test_unknown_torchvision_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="no model vt_b_16; close names: vit_b_16"):
        torchvision_network(architecture="vt_b_16")


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_that_torchvision_feeds_otherwise_when_pretrained(name: str) -> None:
    with torch.device("meta"):
        assert torchvision_network(architecture=name).transform_input is True


def test_hub_file_is_read_by_timm(tmp_path) -> None:
    source = timm.create_model("test_vit", pretrained=False).eval()
    file = tmp_path / "model.safetensors"
    save_file(source.state_dict(), file)
    network = timm_network(architecture="test_vit.r160_in1k", weights_file=str(file)).eval()
    images = torch.rand(1, 3, 160, 160)
    with torch.inference_mode():
        assert torch.equal(network(images), source(images))


def test_hub_file_of_another_network_is_refused_in_one_line(tmp_path) -> None:
    file = tmp_path / "model.safetensors"
    save_file(timm.create_model("test_vit").state_dict(), file)
    with pytest.raises(WeightsError, match="does not fit timm's test_resnet") as caught:
        timm_network(architecture="test_resnet", weights_file=str(file))
    assert "\n" not in str(caught.value)


def sums(images: torch.Tensor) -> torch.Tensor:
    return images.sum((2, 3))


def sums_as_array(images: torch.Tensor) -> NDArray[Any]:
    return np.asarray(images.detach().numpy().sum((2, 3)), dtype=np.float64)


@pytest.mark.parametrize("name", ["sums", "sums_as_array"])
def test_a_function_is_a_network(name: str) -> None:
    network = function_network(function=f"{__name__}.{name}")
    found = network(torch.ones(2, 3, 4, 5))
    assert found.dtype == torch.float32
    assert found.tolist() == [[20.0] * 3] * 2
    assert list(network.parameters()) == []


def test_a_function_of_arrays_has_no_gradient_to_give() -> None:
    images = torch.ones(1, 3, 2, 2, requires_grad=True)
    function_network(function=f"{__name__}.sums")(images).sum().backward()
    assert images.grad is not None
    assert images.grad.unique().tolist() == [1.0]
    with pytest.raises(ConfigError, match="sums_as_array returned outputs without a gradient"):
        function_network(function=f"{__name__}.sums_as_array")(images)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("no_such_module.predict", "no_such_module.predict: cannot be imported"),
        (f"{__name__}.no_such", "no_such: cannot be imported"),
        ("math.pi", "math.pi: must be a function of images"),
        ("torch.nn.Identity", "torch.nn.Identity: must be a function of images"),
    ],
)
def test_what_is_no_function_is_refused(function: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        function_network(function=function)
