"""A key that the composed run does not read is an error, and `weights.file` is every model's."""

from pathlib import Path

import pytest
from configs import GENERIC, composed, config_of

from oodbench.core.errors import ConfigError
from oodbench.core.schema import shipped, validate
from oodbench.models.weights import WeightsError
from oodbench.runs.plan import identify_weights


def needed(name: str) -> list[str]:
    """Without the file, which the test gives itself."""
    return [key for key in GENERIC.get(name, []) if not key.startswith("weights.file=")]


OF_FOLDERS = ("transformers", "transformers_clip")
"""Models that a folder has to be there for."""


@pytest.mark.parametrize("name", [name for name in shipped("model") if name not in OF_FOLDERS])
def test_the_weights_file_is_that_of_whichever_model(name: str) -> None:
    run = composed(f"model={name}", *needed(name), "weights.file=x.pth")
    assert run.model.weights.file == "x.pth"


def test_a_missing_file_is_missed_and_another_one_has_another_hash(tmp_path: Path) -> None:
    """Both gave the accuracy of the packaged weights."""
    run = composed("model=efficientnet_lite0", f"weights.file={tmp_path / 'x.pth'}")
    with pytest.raises(WeightsError, match="no such file"):
        identify_weights(run)
    (tmp_path / "x.pth").write_bytes(b"other weights")
    with pytest.raises(WeightsError, match=r"expected sha256 579344.*model\.weights\.hash=null"):
        identify_weights(run)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["model=efficientnet_lite0", "model.arch=resnet50"],
            "model.arch=resnet50: not read: this model's network is fixed; for another one use "
            "model=checkpoint or model=open_clip model.arch=resnet50",
        ),
        (
            ["model=efficientnet_lite0", "model.timm_name=resnet50"],
            "model.timm_name=resnet50: not read: this model's network is fixed; for another one "
            "use model=timm model.timm_name=resnet50",
        ),
        (
            ["model=resnet50", "model.repository=google/vit"],
            "model.repository=google/vit: not read: this model's network is fixed; for another one "
            "use model=transformers or model=transformers_clip model.repository=google/vit",
        ),
        (
            ["model=checkpoint", "model.arch=resnet18", "weights.file=x", "model.timm_name=y"],
            "model.timm_name=y: not read: this model's network is fixed; for another one use "
            "model=timm model.timm_name=y",
        ),
        (
            ["model=resnet50", "weights.file=x.pth", "model.weights.file=y.pth"],
            "weights.file=x.pth: not read: this model's file is model.weights.file=y.pth: "
            "set that one",
        ),
        (
            ["model=resnet50", "weights.file=x.pth", "model.weights.random_seed=3"],
            "weights.file=x.pth: not read: model.weights.random_seed=3 makes random weights: "
            "set one of them",
        ),
        (
            ["model=resnet50", "+attack.eps=0.1"],
            "attack.eps=0.1: not read: attack=none is no attack; choose one: attack=NAME",
        ),
    ],
)
def test_what_is_not_read_is_an_error(overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        validate(config_of(*overrides))
    assert str(error.value) == said


def test_what_a_config_of_the_user_reads_is_accepted() -> None:
    """An interpolation anywhere in the model counts."""
    run = composed("model.arch=resnet18", "model.network.architecture=${model.arch}")
    assert run.model.network["architecture"] == "resnet18"
