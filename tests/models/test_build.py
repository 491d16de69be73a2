import importlib.util
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from omegaconf import OmegaConf
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import pil_to_tensor, resize

from oodbench.core.errors import ConfigError, WeightsError
from oodbench.core.schema import ModelConfig, WeightsConfig
from oodbench.models.build import build_classifier
from oodbench.models.class_lists import class_list
from oodbench.models.weights import find_weights, identified

CONF = Path(__file__).parents[2] / "conf" / "model"
TIMM = "oodbench.models.networks.timm_network"


def shipped(name: str, **weights: Any) -> ModelConfig:
    node = OmegaConf.merge(OmegaConf.structured(ModelConfig), OmegaConf.load(CONF / f"{name}.yaml"))
    node = OmegaConf.merge(node, {"weights": weights})
    model = OmegaConf.to_object(node)
    assert isinstance(model, ModelConfig)
    return model


def small(architecture: str = "test_resnet", **weights: Any) -> ModelConfig:
    network = {"_target_": TIMM, "architecture": architecture}
    return ModelConfig(name="small", network=network, weights=WeightsConfig(**weights))


@pytest.mark.parametrize("version", [0, 1, 2])
def test_lite_models_recognise_pictures(version: int, tmp_path: Path) -> None:
    """foolbox ships ImageNet pictures, named by their class index."""
    model = shipped(f"efficientnet_lite{version}")
    weights = identified(model.name, model.weights, tmp_path, download=False)
    assert weights.identity is not None
    classifier = build_classifier(model, weights_files=weights.files)
    spec = importlib.util.find_spec("foolbox")
    assert spec is not None
    assert spec.origin is not None
    pictures = sorted((Path(spec.origin).parent / "data").glob("imagenet_*.jpg"))
    right = 0
    for path in pictures:
        pixels = pil_to_tensor(Image.open(path).convert("RGB")) / 255
        size = [model.input_size, model.input_size]
        pixels = resize(pixels, size, interpolation=InterpolationMode.BICUBIC).clamp(0, 1)
        with torch.inference_mode():
            right += int(classifier(pixels[None]).argmax() == int(path.stem.split("_")[-1]))
    assert len(pictures) == 20
    # ImageNet accuracy is about 0.75; a chance prediction is right once in 1000.
    assert right >= 15


def test_moco_from_files_in_the_original_layout(tmp_path: Path) -> None:
    """The pre-training checkpoint and the linear probe as facebookresearch/moco saves them."""
    source = torchvision.models.resnet50().eval()
    state = source.state_dict()
    encoder = {f"module.encoder_q.{k}": v for k, v in state.items() if not k.startswith("fc.")}
    for side in ("q", "k"):
        encoder[f"module.encoder_{side}.fc.0.weight"] = torch.zeros(8, 8)
        encoder[f"module.encoder_{side}.fc.2.weight"] = torch.zeros(8, 8)
    encoder["module.encoder_k.conv1.weight"] = torch.zeros(64, 3, 7, 7)
    encoder["module.queue"] = torch.zeros(2, 2)
    encoder["module.queue_ptr"] = torch.zeros(1, dtype=torch.long)
    pretrained, probe = tmp_path / "pretrain.pth.tar", tmp_path / "head.pth.tar"
    torch.save({"epoch": 800, "arch": "resnet50", "state_dict": encoder}, pretrained)
    head = {f"module.{key}": state[key] for key in ("conv1.weight", "fc.weight", "fc.bias")}
    torch.save({"epoch": 15, "best_acc1": torch.tensor(70.2), "state_dict": head}, probe)

    model = shipped("moco_v2", file=str(pretrained), head_file=str(probe))
    files = find_weights(model.name, model.weights, tmp_path, download=False)
    classifier = build_classifier(model, weights_files=files)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = source(torchvision.transforms.Normalize(model.mean, model.std)(images))
        torch.testing.assert_close(classifier(images), expected, rtol=0, atol=1e-4)


def test_moco_without_a_head_is_refused(tmp_path: Path) -> None:
    torch.save({"module.encoder_q.conv1.weight": torch.zeros(1)}, tmp_path / "pretrain.pth")
    model = small(layout="moco_v2")
    with pytest.raises(WeightsError, match=r"no file of the linear classifier.*head_file=PATH"):
        build_classifier(model, weights_files=[tmp_path / "pretrain.pth"])


def test_random_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    logits = [
        build_classifier(small(random_seed=seed), weights_files=[])(images) for seed in (1, 1, 2)
    ]
    assert torch.equal(logits[0], logits[1])
    assert not torch.allclose(logits[0], logits[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_timm_weights_of_the_hub(tmp_path: Path) -> None:
    source = timm.create_model("test_resnet", pretrained=False).eval()
    file = tmp_path / "model.safetensors"
    save_file(source.state_dict(), file)
    model = small(hub="timm/test_resnet", layout="timm")
    classifier = build_classifier(model, weights_files=[file])
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = source(torchvision.transforms.Normalize(*_normalisation())(images))
        torch.testing.assert_close(classifier(images), expected)


def test_pickled_code_in_place_of_the_hub_file_is_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_resnet"), tmp_path / "mine.pth")
    model = small(hub="timm/x", layout="timm")
    with pytest.raises(WeightsError, match="holds pickled code"):
        build_classifier(model, weights_files=[tmp_path / "mine.pth"])


def test_a_hub_file_in_the_plain_layout_is_read_strictly(tmp_path: Path) -> None:
    """timm's own reader takes a state dict of a `model` prefix or renamed tensors as well."""
    source = timm.create_model("test_resnet", pretrained=False).eval()
    file = tmp_path / "model.safetensors"
    save_file({k: v for k, v in source.state_dict().items() if k != "fc.bias"}, file)
    with pytest.raises(
        WeightsError, match=r"does not fit the network: tensors missing 1 \(fc.bias"
    ):
        build_classifier(small(hub="timm/test_resnet"), weights_files=[file])


def test_a_head_of_more_classes_is_mapped(tmp_path: Path) -> None:
    model = small(random_seed=0)
    model.network["architecture"] = "mobilenetv3_large_100.miil_in21k"
    model.classes = "imagenet_21k_miil"
    classifier = build_classifier(model, weights_files=[])
    images = torch.rand(1, 3, 32, 32)
    logits = classifier(images)
    raw = classifier.network((images - classifier.mean) / classifier.std)
    # Tench (class 0), and the teddy bear (850) that the list lacks.
    assert logits[0, 0] == raw[0, list(class_list("imagenet_21k_miil")).index("n01440764")]
    assert logits[0, 850] == -torch.inf


@pytest.mark.parametrize("name", ["onnx_network.onnx_network", "networks.timm_network"])
def test_networks_of_ours_need_a_file(name: str) -> None:
    model = ModelConfig(name="net", network={"_target_": f"oodbench.models.{name}"})
    with pytest.raises(WeightsError, match="model net has no weights: set model.weights.file=PATH"):
        build_classifier(model, weights_files=[])


def sevens(images: torch.Tensor) -> torch.Tensor:
    return BringsItsWeights(answer=7)(images)


def test_a_function_of_the_user_needs_none() -> None:
    target = "oodbench.models.networks.function_network"
    network = {"_target_": target, "function": f"{__name__}.sevens"}
    classifier = build_classifier(ModelConfig(name="mine", network=network), weights_files=[])
    assert classifier(torch.rand(2, 3, 8, 8)).argmax(1).tolist() == [7, 7]
    with pytest.raises(ConfigError, match="its outputs are probabilities"):
        classifier.check_outputs(8)


def test_number_of_parameters_is_checked() -> None:
    model = shipped("resnet50", random_seed=0)
    model.network = {"_target_": TIMM, "architecture": "resnet18"}
    with pytest.raises(WeightsError, match=r"parameters=25.557 million, but .* has 11.690 million"):
        build_classifier(model, weights_files=[])


@pytest.mark.slow
def test_weights_of_another_network_name_the_first_tensors(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "vit.pth")
    with pytest.raises(WeightsError, match=r"vit.pth: does not fit .*missing \d+ \(conv1.+unexp"):
        build_classifier(small(), weights_files=[tmp_path / "vit.pth"])


def test_own_network_without_weights_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"model small has no weights: set model.weights.file="):
        build_classifier(small(), weights_files=[])


class BringsItsWeights(nn.Module):
    def __init__(self, *, answer: int) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.one_hot(torch.full((len(images),), self.answer), 1000).float()


def test_network_of_the_user_may_bring_its_own_weights() -> None:
    model = ModelConfig(
        name="mine", network={"_target_": f"{__name__}.BringsItsWeights", "answer": 7}
    )
    logits = build_classifier(model, weights_files=[])(torch.rand(2, 3, 8, 8))
    assert logits.argmax(1).tolist() == [7, 7]


def no_network() -> list[int]:
    return []


def test_target_that_is_no_network_is_refused() -> None:
    model = ModelConfig(name="mine", network={"_target_": f"{__name__}.no_network"})
    with pytest.raises(
        ConfigError, match=r"network._target_=\S+ gave a list, not a torch.nn.Module"
    ):
        build_classifier(model, weights_files=[])


def _normalisation() -> tuple[list[float], list[float]]:
    return [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def test_one_of_two_sets_of_weights_is_chosen(tmp_path: Path) -> None:
    raw, average = (timm.create_model("test_resnet").eval() for _ in range(2))
    file = tmp_path / "checkpoint.pth.tar"
    torch.save({"state_dict": raw.state_dict(), "state_dict_ema": average.state_dict()}, file)
    with pytest.raises(WeightsError, match=r"several sets of weights \(state_dict, state_dict_ema"):
        build_classifier(small(file=str(file)), weights_files=[file])
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = average(torchvision.transforms.Normalize(*_normalisation())(images))
        for layout in ("plain", "timm"):
            model = small(file=str(file), entry="state_dict_ema", layout=layout)
            found = build_classifier(model, weights_files=[file])(images)
            torch.testing.assert_close(found, expected)


def test_shards_in_the_place_of_timm_s_file(tmp_path: Path) -> None:
    source = timm.create_model("test_resnet").eval()
    tensors = list(source.state_dict().items())
    for number, part in enumerate((tensors[:9], tensors[9:]), start=1):
        save_file(dict(part), tmp_path / f"model-{number:05d}-of-00002.safetensors")
    file = tmp_path / "model-00001-of-00002.safetensors"
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = source(torchvision.transforms.Normalize(*_normalisation())(images))
        for layout in ("plain", "timm"):
            found = build_classifier(small(layout=layout), weights_files=[file])(images)
            torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("weights", [{"random_seed": 0}, {"identity": "mine"}])
def test_an_entry_of_no_checkpoint_is_refused(weights: dict[str, Any]) -> None:
    model = small(entry="ema", **weights)
    if "identity" in weights:
        model.network["_target_"] = "timm.create_model"
        model.network["model_name"] = model.network.pop("architecture")
    with pytest.raises(WeightsError, match="entry=ema chooses among .* this model reads none"):
        build_classifier(model, weights_files=[])
