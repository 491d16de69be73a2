"""In which words a run is said to differ from the published one."""

import pytest
from configs import config_of

from oodbench.core.schema import validate
from oodbench.runs.difference import difference, difference_text

BENCHMARKS = (
    "imagenet",
    "imagenet_a",
    "imagenet_c",
    "imagenet_p",
    "cue_conflict",
    "imagenet_sketch",
    "adversarial",
)


def difference_of(*overrides: str) -> str:
    return difference_text(difference(validate(config_of(*overrides))))


@pytest.mark.parametrize("benchmark", BENCHMARKS)
@pytest.mark.parametrize("model", ["resnet50", "tf_efficientnet_b4_ns"])
def test_the_published_run_does_not_differ(model: str, benchmark: str) -> None:
    assert difference_of(f"model={model}", f"benchmark={benchmark}") == ""


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        # The same steps under another name are no difference.
        ("benchmark=imagenet_a preprocessing=resize256_crop224", ""),
        ("benchmark=imagenet preprocessing=timm", ""),
        ("benchmark=imagenet_sketch preprocessing=resize256_crop224_bicubic", ""),
        ("benchmark=adversarial preprocessing=square", ""),
        ("benchmark=adversarial attack.memory=auto", ""),
        # Other steps are named by the config, a changed field by the field.
        ("benchmark=imagenet_a preprocessing=square", "preprocessing=square"),
        ("benchmark=imagenet_a preprocessing=squash", "preprocessing=squash"),
        (
            "benchmark=imagenet_sketch preprocessing=resize256_crop224",
            "preprocessing=resize256_crop224",
        ),
        (
            "benchmark=imagenet_sketch preprocessing.interpolation=bilinear",
            "preprocessing.interpolation=bilinear",
        ),
        (
            "benchmark=imagenet_a preprocessing.resize=224 preprocessing.square_crop=true",
            "preprocessing.square_crop=True, preprocessing.resize=224",
        ),
        # Nothing is resized: the interpolation is idle.
        ("benchmark=imagenet_c preprocessing.interpolation=bicubic", ""),
        # A back end, a batch size or a seed without an attack changes nothing.
        ("benchmark=imagenet_a engine.batch_size=2 seed=3 limit=4", ""),
        ("benchmark=imagenet_a engine=openvino engine.tolerance=1", ""),
        ("benchmark=imagenet_a preprocessing.backend=tensor", "preprocessing.backend=tensor"),
        (
            "benchmark=imagenet_a preprocessing=square preprocessing.backend=tensor",
            "preprocessing=square, preprocessing.backend=tensor",
        ),
        ("benchmark=imagenet_a engine.precision=bf16", "engine.precision=bf16"),
        (
            "benchmark=imagenet_a preprocessing.crop=9 engine.precision=tf32",
            "preprocessing.crop=9, engine.precision=tf32",
        ),
        ("benchmark=imagenet_a attack=pgd_linf", "attack=pgd_linf"),
        ("benchmark=adversarial attack=pgd_linf", "attack=pgd_linf"),
        ("benchmark=adversarial attack=none", "attack=none"),
        ("benchmark=imagenet_a model.allow_unstable=true", "model.allow_unstable=true"),
        ("benchmark=imagenet_a model.weights.entry=ema", "model.weights.entry=ema"),
        (
            "benchmark=adversarial attack=transfer model@attack.source=efficientnet_lite0 "
            "+attack.source.allow_unstable=true",
            "attack.source.allow_unstable=true, attack=transfer, "
            "attack.source=efficientnet_lite0, attack.attack=pgd_all_steps",
        ),
        ("benchmark=adversarial attack.eps=0.03", "attack.eps=0.03"),
        ("benchmark=adversarial attack.eps=0.06", ""),
        ("benchmark=adversarial seed=3", "seed=3"),
        (
            "benchmark=adversarial attack.iterations=3 attack.eps=0.03 seed=3 preprocessing.crop=9",
            "preprocessing.crop=9, attack.eps=0.03, attack.iterations=3, seed=3",
        ),
        (
            "benchmark=imagenet_a preprocessing._target_=my.Transform preprocessing.name=mine",
            "preprocessing=mine",
        ),
    ],
)
def test_resnet50(overrides: str, said: str) -> None:
    assert difference_of("model=resnet50", *overrides.split()) == said


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ("benchmark=imagenet_a preprocessing=square", ""),
        ("benchmark=imagenet_a preprocessing=timm", "preprocessing=timm"),
        ("benchmark=imagenet_a preprocessing.resize=224", "preprocessing.resize=224"),
        (
            "benchmark=imagenet_sketch preprocessing.resize_after_crop=null",
            "preprocessing.resize_after_crop=None",
        ),
    ],
)
def test_efficientnet_at_380_pixels(overrides: str, said: str) -> None:
    assert difference_of("model=tf_efficientnet_b4_ns", *overrides.split()) == said
