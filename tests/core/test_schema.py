"""Typos, wrong types and values out of range are refused in one line that names the key."""

from typing import Any

import pytest
from configs import config_of
from hydra import compose, initialize_config_module
from hydra.errors import ConfigCompositionException

from oodbench.core.building import bound_arguments, build
from oodbench.core.errors import ConfigError
from oodbench.core.schema import RunConfig, validate
from oodbench.sweeps.composing import register_all

NAMES = ("model.name", "benchmark.name", "preprocessing.name", "attack.name")


def composed(*overrides: str) -> RunConfig:
    register_all()
    with initialize_config_module("oodbench.conf", version_base="1.3"):
        return validate(compose("config", overrides=list(overrides)))


def refusal(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        validate(config_of(*overrides))
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("override", "key", "meant", "another"),
    [
        ("sed=1", "sed", "seed", "output_root"),
        ("engine.batchsize=3", "engine.batchsize", "batch_size", "precision"),
        ("model.inputsize=3", "model.inputsize", "input_size", "crop_pct"),
        ("model.weights.hsh=a", "model.weights.hsh", "hash", "license"),
        ("data.workrs=3", "data.workrs", "workers", "on_error"),
        ("shard.cuont=2", "shard.cuont", "count", "index"),
        ("weights.dirr=x", "weights.dirr", "dir", "download"),
        ("benchmark.chunksize=3", "benchmark.chunksize", "chunk_size", "root"),
        ("benchmark.column.tilte=A", "benchmark.column.tilte", "title", "order"),
        (
            "benchmark.published_preprocessing.default.rsize=3",
            "benchmark.published_preprocessing.default.rsize",
            "resize",
            "crop",
        ),
    ],
)
def test_a_typo_names_the_key_and_the_alternatives(
    override: str, key: str, meant: str, another: str
) -> None:
    message = refusal("model=resnet50", f"+{override}")
    assert f"unknown key {key}: did you mean {meant}?" in message
    assert another in message.split("available: ")[1].split(", ")
    # Without the plus, Hydra itself refuses.
    with pytest.raises(ConfigCompositionException, match=override.split("=")[0]):
        composed("model=resnet50", override)


def test_an_unknown_key_like_no_other_still_lists_the_alternatives() -> None:
    message = refusal("model=resnet50", "+shard.zzz=1")
    assert message == "unknown key shard.zzz: available: count, index"


@pytest.mark.parametrize(
    "override",
    [
        "engine.batch_size=many",
        "engine.batch_size=1.5",
        "data.workers=two",
        "model.mean=0.5",
        "model.std=[a,b]",
        "seed=x",
        "data.allow_partial=perhaps",
    ],
)
def test_a_wrong_type_is_refused(override: str) -> None:
    with pytest.raises(ConfigCompositionException, match=override.split("=")[0]):
        composed("model=resnet50", override)


TRANSFER = ("attack=transfer", "model@attack.source=efficientnet_lite0")
FINITE = "must be a finite number"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["engine.batch_size=0"], "engine.batch_size=0: must be at least 1"),
        (["benchmark.chunk_size=-1"], "benchmark.chunk_size=-1: must be at least 1"),
        (["data.workers=0"], "data.workers=0: must be at least 1"),
        (["limit=0"], "limit=0: must be at least 1"),
        (["shard.count=0"], "shard.count=0: must be at least 1"),
        (["shard.count=2", "shard.index=2"], "shard.index=2: must be 0..1"),
        (["shard.index=-1"], "shard.index=-1: must be 0..0"),
        (["data.on_error=ignore"], "data.on_error=ignore: available: stop, skip"),
        (["data.deep_pictures=drop"], "data.deep_pictures=drop: available: clip, scale"),
        (["engine.precision=fp8"], "engine.precision=fp8: available: fp32, tf32, bf16, fp16"),
        (
            ["model.weights.layout=odd"],
            "model.weights.layout=odd: available: plain, positional, moco_v2, timm, transformers, "
            "open_clip, onnx",
        ),
        (
            ["model.family=odd", "preprocessing=timm"],
            "model.family=odd: available: default, tf_efficientnet",
        ),
        (["~preprocessing.name"], "preprocessing.name is missing"),
        (["~preprocessing._target_"], "preprocessing._target_ is missing"),
        (["~attack.name"], "attack.name is missing"),
        (
            ["model.mean=[123.675,116.28,103.53]"],
            "model.mean=[123.675,116.28,103.53]: pixels are in [0, 1] here, not in 0 to 255: "
            "divide by 255, mean=[0.485,0.456,0.406]",
        ),
        (
            ["model.std=[58.395,57.12,57.375]"],
            "model.std=[58.395,57.12,57.375]: pixels are in [0, 1] here, not in 0 to 255: "
            "divide by 255, std=[0.229,0.224,0.225]",
        ),
        (
            [*TRANSFER, "attack.source.std=[127.5,127.5,127.5]"],
            "attack.source.std=[127.5,127.5,127.5]: pixels are in [0, 1] here, not in 0 to 255: "
            "divide by 255, std=[0.5,0.5,0.5]",
        ),
        (["attack=pgd_linf", "attack.eps=nan"], f"attack.eps=nan: {FINITE}"),
        (["attack=square", "attack.eps=inf"], f"attack.eps=inf: {FINITE}"),
        ([*TRANSFER, "attack.attack.eps=nan"], f"attack.attack.eps=nan: {FINITE}"),
        (["attack=foolbox", "+attack.arguments.eps=nan"], f"attack.arguments.eps=nan: {FINITE}"),
    ],
)
def test_a_value_out_of_range_is_refused(overrides: list[str], said: str) -> None:
    assert refusal("model=resnet50", *overrides) == said


def test_limits_of_the_ranges_are_accepted() -> None:
    run = composed(
        "model=resnet50",
        "engine.batch_size=1",
        "data.workers=1",
        "limit=1",
        "shard.count=2",
        "shard.index=1",
    )
    assert (run.engine.batch_size, run.data.workers, run.limit) == (1, 1, 1)
    assert (run.shard.index, run.shard.count) == (1, 2)
    of_pixels_to_255 = ("model.mean=[0,0,1]", "model.std=[0.0039216,1,1]")
    assert composed("model=resnet50", *of_pixels_to_255).model.std[0] == 0.0039216


@pytest.mark.parametrize(
    ("model", "key"), [("timm", "model.timm_name"), ("checkpoint", "model.arch")]
)
def test_a_generic_model_without_its_name_says_which_key(model: str, key: str) -> None:
    assert f"{key}=VALUE" in refusal(f"model={model}")


def test_torchvision_without_a_name_says_which_key() -> None:
    assert "model.name" in refusal("model=torchvision")


def test_a_checkpoint_without_a_file_says_which_key() -> None:
    assert "weights.file=VALUE" in refusal("model=checkpoint", "model.arch=resnet18")


def test_no_model_at_all_lists_those_there_are() -> None:
    message = refusal()
    assert message.startswith("no model: give model=NAME; available: ")
    assert {"resnet50", "timm"} <= set(message.split("available: ")[1].split(", "))


def preprocessing_of(*overrides: str) -> dict[str, Any]:
    return composed("model=resnet50", *overrides).preprocessing


@pytest.mark.parametrize("check", [build, bound_arguments])
def test_a_typo_in_the_preprocessing_is_refused_by_its_signature(check: Any) -> None:
    with pytest.raises(ConfigError, match=r"preprocessing\.interpolaton: did you mean interpol"):
        check(preprocessing_of("+preprocessing.interpolaton=bilinear"), "preprocessing")


def test_an_unknown_interpolation_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="interpolation=cubic: available: .*bicubic"):
        build(preprocessing_of("preprocessing.interpolation=cubic"), "preprocessing")


def test_a_typo_in_the_protocol_is_refused() -> None:
    run = composed("model=resnet50", "+benchmark.protocol.n_expcted=3")
    with pytest.raises(ConfigError, match=r"protocol\.n_expcted: did you mean n_expected"):
        build(run.benchmark.protocol, "benchmark.protocol")


@pytest.mark.parametrize("attack", ["pgd_targeted", "pgd_linf"])
def test_an_eps_may_be_a_fraction(attack: str) -> None:
    run = composed("model=resnet50", f"attack={attack}", "attack.eps=8/255")
    assert run.attack["eps"] == 8 / 255
    assert build(run.attack, "attack").eps == 8 / 255


@pytest.mark.parametrize(
    ("eps", "message"),
    [
        ("8/0", "attack: 8/0: divides by 0"),
        ("eight", r"attack\.eps=eight: must be a number"),
        ("true", r"attack\.eps=True: must be a number"),
        ("nan", r"attack\.eps=nan: must be a finite number"),
        ("inf", r"attack\.eps=inf: must be a finite number"),
    ],
)
def test_an_eps_that_is_no_number_is_refused(eps: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(composed("model=resnet50", "attack=pgd_linf", f"attack.eps={eps}").attack, "attack")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.std=[nan,1,1]", r"model\.std\[0\]=nan: must be a finite"),
        ("data.cache_gib=inf", r"data\.cache_gib=inf: must be a finite"),
        ("+model.network.x={y: [1, inf]}", r"model\.network\.x\.y\[1\]=inf: must be a finite"),
        ("seed=123456789012345678901234567890", r"seed=1234567890.*: too large a number"),
        ("model.network._target_=3", r"model\.network\._target_=3: must be a dotted name"),
        *((f"{key}=../x", f"{key}=../x: becomes the name of a folder") for key in NAMES),
        *((f"{key}=''", f"{key}=: becomes the name of a folder") for key in NAMES),
    ],
)
def test_values_that_no_key_can_mean(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        composed("model=resnet50", "attack=pgd_linf", override)
