"""Which runs of a model are told that its own evaluation is another one."""

from pathlib import Path

import pytest
from configs import composed
from toys import Cli

from oodbench.reference import published_models
from oodbench.runs.naming.own_evaluation import own_evaluation

CONVNEXT = ("model=timm", "model.timm_name=convnext_nano.in12k_ft_in1k")

VIT = ("model=timm", "model.timm_name=vit_tiny_patch16_224.augreg_in21k_ft_in1k")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        # timm's results-imagenet.csv: 288 px, crop 1.0, bicubic.
        (
            CONVNEXT,
            "convnext_nano.in12k_ft_in1k: evaluated as the published run did (resize 256, crop "
            "224, bilinear), not as its config says (model.input_size=288: resize 288, crop 288, "
            "bicubic): for that add preprocessing=timm",
        ),
        ((*CONVNEXT, "preprocessing=timm"), None),
        ((*CONVNEXT, "preprocessing=resize256_crop224"), None),
        (
            ("model=onnx", "weights.file=net.onnx", "model.input_size=256"),
            "net: evaluated as the published run did (resize 256, crop 224, bilinear), not as its "
            "config says (model.input_size=256: resize 292, crop 256, bilinear): for that add "
            "preprocessing=timm",
        ),
        (("model=onnx", "weights.file=net.onnx"), None),
        # torchvision: 232 px, crop 224.
        (
            ("model=torchvision", "model.name=resnet18", "model.crop_pct=0.9655"),
            "resnet18: evaluated as the published run did (resize 256, crop 224, bilinear), not as "
            "its config says (model.input_size=224: resize 232, crop 224, bilinear): for that add "
            "preprocessing=timm",
        ),
        (("model=torchvision", "model.name=resnet18"), None),
        (
            ("model=torchvision", "model.name=resnet18", "benchmark=adversarial"),
            "resnet18: evaluated as the published run did (square, resize 224, bicubic), not as "
            "its config says (model.input_size=224: resize 256, crop 224, bilinear): for that add "
            "preprocessing=timm",
        ),
        (("model=efficientnet_lite1", "benchmark=imagenet_c"), None),
        (
            (*CONVNEXT, "benchmark=imagenet_c"),
            "convnext_nano.in12k_ft_in1k: evaluated as the published run did (crop 224), not as "
            "its config says (model.input_size=288: resize 288, crop 288, bicubic): for that add "
            "preprocessing=timm",
        ),
        # Of 224 px and bicubic: nothing is resized, the files have that size.
        ((*VIT, "benchmark=imagenet_c"), None),
    ],
)
def test_what_is_said(overrides: tuple[str, ...], said: str | None) -> None:
    assert own_evaluation(composed(*overrides)) == said


def test_nothing_is_said_of_the_published_table() -> None:
    for model in published_models():  # under a pipeline that is not that of timm for any of them
        assert own_evaluation(composed(f"model={model}", "benchmark=adversarial")) is None


def test_it_is_said_once_and_pictures_of_another_size_are_refused(toy: Path, cli: Cli) -> None:
    """A network that takes one size, under a pipeline that gives another."""
    code = (toy / "toy_network.py").read_text()
    strict = "        assert x.shape[-1] == 32, f'wants 32, not {x.shape[-1]}'\n        return self"
    (toy / "toy_network.py").write_text(code.replace("        return self", strict))
    failed = cli("-m", "model=toy", "engine=eager,openvino,auto")
    assert failed.returncode == 1
    assert failed.stderr.count("toy: evaluated as the published run did (resize 256, crop") == 1
    reason = (
        "model toy: its network takes pictures of model.input_size=32 pixels and fails on the "
        "run's, 224 x 224: use preprocessing=timm (wants 32, not 224)"
    )
    assert failed.stderr.count(reason) == 3
    assert "Traceback" not in failed.stderr
    assert "traceback" not in failed.stderr
    done = cli("model=toy", "preprocessing=timm", "limit=1")
    assert done.returncode == 0
    assert "published run" not in done.stderr
