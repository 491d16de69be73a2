"""In which words a run is said to differ from the published one."""

import shlex

import pytest
from configs import config_of

from oodbench.core.schema import validate
from oodbench.runs.naming.difference import difference, difference_text

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
        # A pipeline that has no name is said whole: what is not there is off.
        (
            "benchmark=imagenet_sketch preprocessing.interpolation=bilinear",
            "preprocessing.resize=256, preprocessing.crop=224, "
            "preprocessing.interpolation=bilinear",
        ),
        (
            "benchmark=imagenet_a preprocessing.resize=224 preprocessing.square_crop=true",
            "preprocessing.square_crop=true, preprocessing.resize=224, preprocessing.crop=224, "
            "preprocessing.interpolation=bilinear",
        ),
        (
            "benchmark=imagenet_a preprocessing=square preprocessing.resize=200",
            "preprocessing=square, preprocessing.square_crop=true, preprocessing.resize=200, "
            "preprocessing.interpolation=bicubic",
        ),
        (
            "benchmark=imagenet_a preprocessing.resize=[9,8]",
            "preprocessing.resize=[9,8], preprocessing.crop=224, "
            "preprocessing.interpolation=bilinear",
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
            "preprocessing.resize=256, preprocessing.crop=9, preprocessing.interpolation=bilinear, "
            "engine.precision=tf32",
        ),
        # The radius is said of every attack that is named.
        ("benchmark=imagenet_a attack=pgd_linf", "attack=pgd_linf, attack.eps=8/255"),
        ("benchmark=adversarial attack=pgd_linf", "attack=pgd_linf, attack.eps=8/255"),
        (
            "benchmark=adversarial attack=pgd_linf attack.eps=4/255 attack.step_size=0.5/255",
            "attack=pgd_linf, attack.eps=4/255, attack.step_size=0.5/255",
        ),
        (
            "benchmark=adversarial attack=autoattack attack.norm=l2 attack.eps=0.5",
            "attack=autoattack, attack.eps=0.5, attack.norm=l2",
        ),
        (
            "benchmark=adversarial attack=pgd_l2",
            "attack=pgd_l2, attack.norm=l2, attack.eps=0.5",
        ),
        ("benchmark=adversarial attack=cw_l2", "attack=cw_l2"),
        ("benchmark=adversarial attack.eps=8/255", "attack.eps=8/255"),
        ("benchmark=adversarial attack=none", "attack=none"),
        ("benchmark=imagenet_a model.allow_unstable=true", "model.allow_unstable=true"),
        ("benchmark=imagenet_a data.deep_pictures=scale", "data.deep_pictures=scale"),
        ("benchmark=imagenet_a model.weights.entry=ema", "model.weights.entry=ema"),
        (
            "benchmark=adversarial attack=transfer model@attack.source=efficientnet_lite0 "
            "+attack.source.allow_unstable=true",
            "attack=transfer, attack.source=efficientnet_lite0, "
            "attack.source.allow_unstable=true, attack.attack=pgd_all_steps, "
            "attack.attack.eps=8/255",
        ),
        ("benchmark=adversarial attack.eps=0.03", "attack.eps=0.03"),
        ("benchmark=adversarial attack.eps=0.06", ""),
        ("benchmark=adversarial seed=3", "seed=3"),
        (
            "benchmark=adversarial attack.iterations=3 attack.eps=0.03 seed=3 preprocessing.crop=9",
            "preprocessing.square_crop=true, preprocessing.resize=224, preprocessing.crop=9, "
            "preprocessing.interpolation=bicubic, attack.eps=0.03, attack.iterations=3, seed=3",
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
        (
            "benchmark=imagenet_a preprocessing.resize=224",
            "preprocessing.square_crop=true, preprocessing.resize=224, "
            "preprocessing.interpolation=bicubic",
        ),
        (
            "benchmark=imagenet_sketch preprocessing.resize_after_crop=null",
            "preprocessing.resize=256, preprocessing.crop=224, "
            "preprocessing.resize_after_crop=null, preprocessing.interpolation=bicubic",
        ),
    ],
)
def test_efficientnet_at_380_pixels(overrides: str, said: str) -> None:
    assert difference_of("model=tf_efficientnet_b4_ns", *overrides.split()) == said


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ("model.std=[0.05,0.05,0.05]", ["model.std=[0.05,0.05,0.05]"]),
        ("model.mean=[0,0,0]", ["model.mean=[0.0,0.0,0.0]"]),
        ("model.weights.random_seed=0", ["model.weights.random_seed=0"]),
        ("model.input_size=240", ["preprocessing.square_crop=true", "preprocessing.resize=240"]),
        ("model.family=default", ["preprocessing.square_crop=false", "preprocessing.resize=256"]),
        ("model.weights.file=x.pth", []),  # it must have the hash of the shipped one
        (
            "model.weights.file=x.pth model.weights.hash=null",
            ["model.weights.file=x.pth", "model.weights.hash=null"],
        ),
        (
            "benchmark=imagenet_c_generated benchmark.protocol.jpeg_quality=5",
            ["benchmark.protocol.jpeg_quality=5"],
        ),
        (
            "benchmark=imagenet_c_generated benchmark.protocol.seed=7",
            ["benchmark.protocol.seed=7"],
        ),
        (
            "benchmark=imagenet_p_generated benchmark.protocol.encode=false",
            ["benchmark.protocol.encode=false"],
        ),
        ("+benchmark.protocol.positions=even", ["benchmark.protocol.positions=even"]),
        (
            "benchmark.published_preprocessing.tf_efficientnet.resize=200",
            ["preprocessing.square_crop=true", "preprocessing.resize=200"],
        ),
        ("benchmark.attack=pgd_linf attack=pgd_linf", ["attack=pgd_linf"]),
        (
            "benchmark=imagenet_a benchmark.name=imagenet",
            ["benchmark.protocol.classes=imagenet_a"],
        ),
        ("benchmark=adversarial '~attack.step_size'", ["~attack.step_size"]),
    ],
)
def test_what_ships_under_the_names_is_compared_whole(overrides: str, said: list[str]) -> None:
    """Each of these once stood unmarked in the row of efficientnet_lite0."""
    words = shlex.split(overrides)
    found = difference(validate(config_of("model=efficientnet_lite0", *words)))
    assert found[: len(said)] == said
    assert bool(found) == bool(said)


def test_another_network_under_the_name_of_a_shipped_one() -> None:
    found = difference_of("model=efficientnet_lite0", "model.name=resnet50")
    assert "model.network.architecture=tf_efficientnet_lite0" in found
    found = difference_of("model=torchvision", "model.name=resnet50")  # its V2 weights
    assert "model.weights.url=https://download.pytorch.org/models/resnet50-11ad3fa6.pth" in found


def test_what_a_generic_model_needs_is_its_identity() -> None:
    checkpoint = ["model=checkpoint", "model.arch=resnet18", "weights.file=x.pth"]
    assert difference_of(*checkpoint) == ""
    assert difference_of(*checkpoint, "model.name=mine") == ""
    assert difference_of(*checkpoint, "model.mean=[0,0,0]") == "model.mean=[0.0,0.0,0.0]"
    assert difference_of("model=timm", "model.timm_name=resnet18.a1_in1k") == ""
