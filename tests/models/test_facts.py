import math
import subprocess
import sys
from pathlib import Path

import pytest
import timm
from omegaconf import OmegaConf
from torchvision import models

from oodbench.core.cache import keep
from oodbench.core.errors import ConfigError
from oodbench.models.class_lists import class_list
from oodbench.models.facts import (
    bare_name_notice,
    register_model_facts,
    timm_fact,
    torchvision_fact,
)


def test_timm_facts_are_those_of_its_own_evaluation() -> None:
    # timm/models/resnet.py: trained at 224 with crop 0.95, tested at 288 uncropped.
    assert timm_fact("resnet50.a1_in1k", "input_size") == 288
    assert timm_fact("resnet50.a1_in1k", "crop_pct") == 1.0
    assert timm_fact("resnet50.tv_in1k", "input_size") == 224
    assert timm_fact("resnet50.tv_in1k", "crop_pct") == 0.875
    assert timm_fact("resnet50.tv_in1k", "interpolation") == "bilinear"
    assert timm_fact("tf_efficientnet_b8.ap_in1k", "mean") == [0.5, 0.5, 0.5]
    assert timm_fact("tf_efficientnet_b8.ap_in1k", "hf_hub_id") == "timm/tf_efficientnet_b8.ap_in1k"


def test_a_bare_timm_name_has_the_facts_of_its_default_tag() -> None:
    tag = timm.get_pretrained_cfg("resnet50").tag
    assert timm_fact("resnet50", "hf_hub_id") == f"timm/resnet50.{tag}"
    assert timm_fact("resnet50", "full_name") == f"resnet50.{tag}"
    assert timm_fact("resnet50.tv_in1k", "full_name") == "resnet50.tv_in1k"


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("resnet50.tv_in1k", "imagenet_1k"),
        ("convnext_small.in12k", "imagenet_12k"),
        ("vit_base_patch16_224.augreg_in21k", "imagenet_21k_google"),
        ("convnext_base.fb_in22k", "imagenet_22k"),
        ("focalnet_large_fl3.ms_in22k", "imagenet_22k_ms"),
        ("mobilenetv3_large_100.miil_in21k", "imagenet_21k_miil"),
    ],
)
def test_class_list_of_a_timm_model_has_its_number_of_outputs(name: str, classes: str) -> None:
    assert timm_fact(name, "classes") == classes
    assert len(class_list(classes)) == timm.get_pretrained_cfg(name).num_classes


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit_base_patch16_224.bamboo", "115217 outputs, .* model.classes=FILE, .* or take vit_b"),
        ("mvitv2_base_cls.fb_inw21k", "19168 outputs, .* set model.classes=FILE"),
        ("convnext_base.clip_laion2b", "has 640 outputs, the classes of no list"),
        ("vit_base_patch16_224.mae", "vit_base_patch16_224.mae has no classes: it gives features"),
    ],
)
def test_outputs_of_no_known_list_are_refused_where_the_list_is_asked_for(
    name: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        timm_fact(name, "classes")
    assert timm_fact(name, "interpolation") == "bicubic"


def test_a_bare_name_is_told_with_its_tags() -> None:
    tag = timm.get_pretrained_cfg("tf_efficientnet_b0").tag
    notice = bare_name_notice("tf_efficientnet_b0", ["tf_efficientnet_b0"])
    assert notice is not None
    assert notice.startswith(
        f"model.timm_name=tf_efficientnet_b0: timm {timm.__version__} takes "
        f"tf_efficientnet_b0.{tag}, the first of its tags ({tag}, "
    )
    for other in timm.list_models("tf_efficientnet_b0.*", pretrained=True):
        assert other.split(".")[1] in notice
    assert notice.endswith("the published table's tf_efficientnet_b0 is model=tf_efficientnet_b0")
    assert "published" not in str(bare_name_notice("resnet18", ["resnet50"]))
    assert bare_name_notice("resnet18.tv_in1k", ["resnet18.tv_in1k"]) is None


def test_torchvision_facts() -> None:
    # torchvision's documentation: resize 232, crop 224 for ResNet50_Weights.IMAGENET1K_V2.
    assert torchvision_fact("resnet50", "input_size") == 224
    assert math.floor(224 / torchvision_fact("resnet50", "crop_pct")) == 232
    assert torchvision_fact("resnet50", "url").endswith("resnet50-11ad3fa6.pth")
    assert torchvision_fact("resnet50", "hash") == "sha256:11ad3fa6"
    assert torchvision_fact("swin_t", "interpolation") == "bicubic"
    assert torchvision_fact("swin_t", "std") == [0.229, 0.224, 0.225]


@pytest.mark.parametrize("name", models.list_models(module=models))
def test_crop_share_gives_the_resize_size_of_every_torchvision_classifier(name: str) -> None:
    transform = models.get_model_weights(name)["DEFAULT"].transforms()
    size, share = torchvision_fact(name, "input_size"), torchvision_fact(name, "crop_pct")
    assert [math.floor(size / share)] == transform.resize_size
    assert [size] == transform.crop_size


@pytest.mark.parametrize(
    ("ask", "name", "message"),
    [
        (timm_fact, "resnt50.a1_in1k", r"no model resnt50.a1_in1k; close names: .*resnet50"),
        (timm_fact, "resnet50.none", "timm has no model resnet50.none; close names: resnet50"),
        (timm_fact, "ig_resnext101_32x48d", "timm has no model ig_resnext101_32x48d"),
        (timm_fact, "resnext101_32x48d.fb_wsl_ig1b_ft_in1k", "timm has no model"),
        (timm_fact, "../../resnet50", "a name has letters"),
        (timm_fact, None, "model.timm_name is missing"),
        (torchvision_fact, "vt_b_16", "torchvision has no model vt_b_16; close names: vit_b_16"),
        (torchvision_fact, "fcn_resnet50", "torchvision has no model fcn_resnet50"),
        (torchvision_fact, None, "model.name is missing"),
    ],
)
def test_wrong_names_are_refused(ask, name: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ask(name, "input_size")


def test_unknown_field_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown field size; available: input_size, crop_pct"):
        timm_fact("resnet50", "size")


def test_facts_come_from_the_cache_the_second_time(cache_folder: Path) -> None:
    assert timm_fact("resnet18.tv_in1k", "crop_pct") == 0.875
    stored = cache_folder / "facts-3" / f"timm-{timm.__version__}" / "resnet18.tv_in1k.json"
    keep(stored, {"crop_pct": 0.5})
    assert timm_fact("resnet18.tv_in1k", "crop_pct") == 0.5


def test_resolvers() -> None:
    register_model_facts()
    config = OmegaConf.create(
        {"a": "${timm_fact:resnet18.tv_in1k,std}", "b": "${torchvision_fact:resnet18,crop_pct}"}
    )
    assert OmegaConf.to_container(config, resolve=True) == {"a": [0.229, 0.224, 0.225], "b": 0.875}


def test_cached_facts_and_known_hashes_need_no_torch(tmp_path: Path) -> None:
    timm_fact("resnet18.tv_in1k", "crop_pct")
    torchvision_fact("resnet18", "crop_pct")
    (tmp_path / "w.pth").write_bytes(b"weights")
    program = f"""
import sys
from pathlib import Path
from oodbench.models.facts import register_model_facts, timm_fact, torchvision_fact
from oodbench.models.weights import identified
from oodbench.core.schema import WeightsConfig
register_model_facts()
timm_fact("resnet18.tv_in1k", "crop_pct"), torchvision_fact("resnet18", "crop_pct")
weights = WeightsConfig(url="http://x/w.pth")
assert identified("m", weights, Path({str(tmp_path)!r}), download=True).identity
print(sorted({{"torch", "timm", "torchvision"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
