from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import nn

from oodbench.core.errors import ConfigError, WeightsError
from oodbench.core.schema import ModelConfig, WeightsConfig
from oodbench.models.build import build_classifier
from oodbench.models.weights import find_weights
from oodbench.probe.backbone import Backbone, backbone_weights, build_backbone


class Softmaxed(nn.Module):
    """Its last linear layer does not give its output."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.mean((2, 3))).softmax(1)


class WithoutLinear(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


class Nested(nn.Module):
    """Its output layer is registered last, inside a Sequential; no get_classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 5))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(5, 1000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.body(x))
        return out


def model(target: str, **arguments: str) -> ModelConfig:
    return ModelConfig(
        name="small",
        input_size=64,
        network={"_target_": target, **arguments},
        weights=WeightsConfig(random_seed=0),
    )


def built(chosen: ModelConfig, precision: str = "fp32", size: int = 2) -> Backbone:
    weights = backbone_weights(chosen.weights)
    files = find_weights(chosen.name, weights, Path("unused"), download=False)
    return build_backbone(chosen, files, precision=precision, forward_batch_size=size)


def pictures(n: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 3, 64, 64), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("architecture", ["test_efficientnet", "test_vit", "test_resnet"])
def test_features_are_timms_own(architecture: str) -> None:
    chosen = model("oodbench.models.networks.timm_network", architecture=architecture)
    if architecture == "test_vit":
        chosen.network["architecture"] = "test_vit"
        chosen.input_size = 160
    images = nn.functional.interpolate(pictures().float(), chosen.input_size).to(torch.uint8)
    classifier = build_classifier(chosen, weights_files=[])
    network = classifier.network
    inputs = (images / 255 - classifier.mean) / classifier.std
    with torch.no_grad():
        wanted = network.forward_head(network.forward_features(inputs), pre_logits=True)
    backbone = built(chosen)
    found = backbone(images)
    assert backbone.dimension == network.num_features == found.shape[1]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_features_of_torchvision_times_its_head_are_its_logits(name: str) -> None:
    chosen = model("oodbench.models.networks.torchvision_network", architecture=name)
    classifier = build_classifier(chosen, weights_files=[])
    last = [module for module in classifier.network.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        wanted = classifier(pictures() / 255)
        found = last(built(chosen)(pictures()))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_the_last_linear_layer_inside_a_sequential() -> None:
    backbone = built(model(f"{__name__}.Nested"))
    assert backbone.dimension == 5
    assert (backbone(pictures()) >= 0).all()
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert not backbone.training


def test_no_picture_gives_no_feature() -> None:
    assert built(model(f"{__name__}.Nested"))(pictures(0)).shape == (0, 5)


class Narrow(nn.Module):
    """Has memory for so many pictures at once."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.sizes: list[int] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(images))
        if len(images) > self.width:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return images.mean((2, 3))


def narrow(width: int) -> tuple[Narrow, Backbone]:
    network = Narrow(width)
    backbone = Backbone(
        network,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        dimension=3,
        precision="fp32",
        forward_batch_size=8,
    )
    return network, backbone


def test_memory_that_runs_out_halves_the_batch(caplog: pytest.LogCaptureFixture) -> None:
    network, backbone = narrow(3)
    images = torch.randint(256, (9, 3, 4, 4), dtype=torch.uint8)
    for _ in range(2):
        assert torch.allclose(backbone(images), images.float().mean((2, 3)) / 255)
    # 8 do not fit, nor do 4; the second batch is split at once.
    assert network.sizes == [8, 4, 2, 2, 2, 2, 1, 2, 2, 2, 2, 1]
    assert "out of memory with 8 pictures, going on with forward_batch_size=4" in caplog.text


def test_no_memory_for_one_picture_is_one_line() -> None:
    _, backbone = narrow(0)
    with pytest.raises(ConfigError) as error:
        backbone(torch.zeros(2, 3, 4, 4, dtype=torch.uint8))
    said = str(error.value)
    assert said.startswith("device=cpu: out of memory with one picture: ")
    assert "GiB are free on cpu (CUDA out of memory. Tried to allocate 2 GiB)" in said
    assert "\n" not in said


def test_mixed_precision_gives_float32_near_the_exact_features() -> None:
    chosen = model("oodbench.models.networks.torchvision_network", architecture="resnet18")
    exact, mixed = built(chosen)(pictures()), built(chosen, "bf16")(pictures())
    assert mixed.dtype == torch.float32
    assert not torch.equal(mixed, exact)
    # bfloat16 has 8 significant bits; 18 layers of them.
    torch.testing.assert_close(mixed, exact, rtol=0.1, atol=0.05 * float(exact.abs().max()))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Softmaxed", r"its last nn.Linear \(fc\) does not give the network's output"),
        ("WithoutLinear", "its network has no nn.Linear to be replaced"),
    ],
)
def test_networks_without_a_linear_output_are_refused(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"model small: {said}"):
        built(model(f"{__name__}.{name}"))


def test_timms_classifier_that_is_no_linear_layer_is_refused() -> None:
    chosen = model("oodbench.models.networks.timm_network", architecture="levit_128s")
    chosen.input_size = 224
    assert not isinstance(timm.create_model("levit_128s").get_classifier(), nn.Linear)
    with pytest.raises(ConfigError, match="its classifier is a .*, not one nn.Linear"):
        built(chosen)


def test_moco_needs_no_head_file(tmp_path: Path) -> None:
    source = torchvision.models.resnet50().eval()
    encoder = {f"module.encoder_q.{k}": v for k, v in source.state_dict().items() if "fc." not in k}
    encoder["module.encoder_q.fc.0.weight"] = torch.zeros(8, 8)
    torch.save({"state_dict": encoder}, tmp_path / "pretrain.pth.tar")
    chosen = model("oodbench.models.networks.timm_network", architecture="resnet50")
    chosen.weights = WeightsConfig(
        file=str(tmp_path / "pretrain.pth.tar"), layout="moco_v2", head_file="is/not/there"
    )
    assert backbone_weights(chosen.weights).head_file is None
    backbone = built(chosen)
    source.fc = nn.Identity()
    inputs = (pictures(2) / 255 - backbone.mean) / backbone.std
    with torch.no_grad():
        torch.testing.assert_close(backbone(pictures(2)), source(inputs), rtol=1e-4, atol=1e-4)


def test_moco_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"module.encoder_q.conv1.weight": torch.zeros(1)}, tmp_path / "pretrain.pth")
    chosen = model("oodbench.models.networks.timm_network", architecture="resnet50")
    chosen.weights = WeightsConfig(file=str(tmp_path / "pretrain.pth"), layout="moco_v2")
    with pytest.raises(WeightsError, match="pretrain.pth: does not fit the network"):
        built(chosen)
