import pytest
from probe_toys import composed

from oodbench.core.errors import ConfigError


def test_the_defaults_are_the_published_recipe_on_imagenet() -> None:
    probe = composed("model=moco_v2", "data.root=/data")
    recipe = probe.recipe
    assert (recipe.lr, recipe.momentum, recipe.weight_decay) == (30.0, 0.9, 0.0)
    assert (recipe.batch_size, recipe.epochs, recipe.milestones) == (256, 15, [12, 14])
    assert (recipe.gamma, recipe.augment) == (0.1, "published")
    steps = probe.preprocessing
    assert (steps.resize, steps.crop, steps.interpolation) == (256, 224, "bilinear")
    assert (probe.data.train_root, probe.data.val_root) == (
        "/data/imagenet/train",
        "/data/imagenet/val",
    )
    # ILSVRC2012: 1,281,167 training and 50,000 validation pictures.
    assert (probe.data.train_expected, probe.data.val_expected) == (1_281_167, 50_000)
    assert probe.model.weights.head_file == "weights/moco_v2_head.pth.tar"


def test_the_hundred_epoch_recipe() -> None:
    recipe = composed("model=moco_v2", "recipe=moco_100_epochs").recipe
    assert (recipe.epochs, recipe.milestones, recipe.lr) == (100, [60, 80], 30.0)


def test_no_model() -> None:
    with pytest.raises(ConfigError, match=r"no model: give model=NAME; available: .*moco_v2"):
        composed()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("+recipe.epoch=3", r"unknown key recipe.epoch: did you mean epochs\? available: augment,"),
        ("+tensorbord=true", r"unknown key tensorbord: did you mean tensorboard\? "),
        ("recipe.augment=strong", "recipe.augment=strong: available: published, none"),
        ("precision=fp8", "precision=fp8: available: fp32, tf32, bf16, fp16"),
        ("data.classes=cats", "data.classes=cats: available: imagenet_1k, folders"),
        ("recipe.batch_size=0", "recipe.batch_size=0: must be at least 1"),
        ("recipe.epochs=0", "recipe.epochs=0: must be at least 1"),
        ("recipe.lr=-1", "recipe.lr=-1.0: must be above 0"),
        ("recipe.lr=nan", "recipe.lr=nan: must be a finite number"),
        ("recipe.momentum=1", r"recipe.momentum=1.0: must be in \[0, 1\)"),
        ("recipe.weight_decay=-0.1", "recipe.weight_decay=-0.1: must be at least 0"),
        ("recipe.milestones=[4,2]", r"recipe.milestones=\[4, 2\]: must be ascending, from 1 up"),
        ("preprocessing.interpolation=sinc", "preprocessing.interpolation=sinc: available: near"),
        ("checkpoint_minutes=-1", "checkpoint_minutes=-1.0: must be at least 0"),
        ("data.workers=-1", "data.workers=-1: must be at least 0"),
        ("seed=-1", "seed=-1: must be at least 0"),
    ],
)
def test_wrong_values_are_named(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"^{said}"):
        composed("model=moco_v2", override)


def test_a_generic_model_without_its_name() -> None:
    with pytest.raises(ConfigError, match=r"timm_name"):
        composed("model=timm")
