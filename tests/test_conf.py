"""Every YAML file composes, validates and builds; the published table is the published one."""

from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from configs import GENERIC, NEEDED, config_of, make_vit_folder
from omegaconf import MISSING, OmegaConf

from oodbench.core.building import build, check_arguments
from oodbench.core.errors import ConfigError
from oodbench.core.schema import EngineConfig, PipelineConfig, RunConfig, validate
from oodbench.core.shipped import published_columns
from oodbench.preprocessing import Preprocessing
from oodbench.probe.schema import ProbeConfig
from oodbench.reference import read_table
from oodbench.runs.naming.difference import difference
from oodbench.sweeps.jobs import Launch

GROUPS = ("attack", "benchmark", "engine", "experiment", "model", "preprocessing")
PUBLISHED_BENCHMARKS = {
    "imagenet",
    "imagenet_a",
    "imagenet_c",
    "imagenet_p",
    "cue_conflict",
    "imagenet_sketch",
    "adversarial",
}
BENCHMARKS = PUBLISHED_BENCHMARKS | {"imagenet_c_generated", "imagenet_p_generated"}
NATIVE_SIZES = {"b0": 224, "b1": 240, "b2": 260, "b3": 300, "b4": 380, "b5": 456, "b6": 528}
NATIVE_SIZES |= {"b7": 600, "b8": 672, "l2_ns_475": 475, "l2_ns": 800}
"""Pixels at which the published run evaluated the EfficientNets (its README)."""

BILINEAR_CROP = {"resize": 256, "crop": 224}
SKETCH = {"resize": 256, "crop": 224, "interpolation": "bicubic"}
SQUARE = {"square_crop": True, "interpolation": "bicubic"}
TORCH_FAMILY: dict[str, dict[str, Any]] = {
    "imagenet": BILINEAR_CROP,
    "imagenet_a": BILINEAR_CROP,
    "imagenet_c": {"crop": 224},
    "imagenet_c_generated": {"crop": 224},
    "imagenet_p": {},
    "imagenet_p_generated": {},
    "imagenet_sketch": SKETCH,
    "cue_conflict": {},
    "adversarial": {**SQUARE, "resize": 224},
}
"""Steps of eminorhan/ood-benchmarks, evaluate_*.py, for ResNets and ResNeXts."""


def efficientnet(benchmark: str, native: int) -> dict[str, Any]:
    """The same for EfficientNets of a native size; ImageNet-C and -P are our extension."""
    to_native = {"resize": native, "interpolation": "bicubic"}
    return {
        "imagenet": {**SQUARE, **to_native},
        "imagenet_a": {**SQUARE, **to_native},
        "imagenet_c": to_native,
        "imagenet_c_generated": to_native,
        "imagenet_p": to_native,
        "imagenet_p_generated": to_native,
        "imagenet_sketch": {**SKETCH, "resize_after_crop": native},
        "cue_conflict": to_native,
        "adversarial": {**SQUARE, **to_native},
    }[benchmark]


def names(group: str) -> list[str]:
    folder = files("oodbench.conf").joinpath(group)
    return sorted(
        path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml")
    )


def own(*place: str) -> dict[str, Any]:
    """Content of one YAML file, given by its folders and its name, nothing resolved."""
    text = files("oodbench.conf").joinpath(*place[:-1], f"{place[-1]}.yaml").read_text("utf-8")
    content = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


@cache
def composed(*overrides: str) -> RunConfig:
    """Once for all tests of a model: none of them changes it."""
    return validate(config_of(*overrides))


def build_parts(run: RunConfig) -> None:
    """Everything but the network: protocol, preprocessing, attack and engine."""
    assert isinstance(build(run.preprocessing, "preprocessing"), Preprocessing)
    assert build(run.benchmark.protocol, "benchmark.protocol").headline
    if "_target_" in run.attack:
        assert build(run.attack, "attack").name == run.attack["name"]
    build(run.engine.backend, "engine.backend")
    check_arguments(run.model.network, "model.network")


def published_models() -> list[str]:
    return list(dict.fromkeys(row["model"] for row in read_table("published_results.csv")))


def swept(experiment: str) -> dict[str, list[str]]:
    params: dict[str, str] = own("experiment", experiment)["hydra"]["sweeper"]["params"]
    return {key: value.split(",") for key, value in params.items()}


def test_every_group_has_configs() -> None:
    assert all(names(group) for group in GROUPS)


def leaves(node: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Dotted key -> value of everything in a config but the defaults list and Hydra's own keys."""
    found: dict[str, Any] = {}
    for name, value in node.items():
        if above or name not in ("defaults", "hydra"):
            nested = isinstance(value, dict)
            found |= leaves(value, f"{above}{name}.") if nested else {f"{above}{name}": value}
    return found


def overridden(yaml: dict[str, Any], schema: type) -> set[str]:
    """Keys of a YAML file to which it gives another value than the dataclass."""
    defaults = OmegaConf.to_container(OmegaConf.structured(schema))
    assert isinstance(defaults, dict)
    usual = leaves({str(key): value for key, value in defaults.items()})
    written = leaves(yaml)
    return {key for key in written if key in usual and usual[key] not in (MISSING, written[key])}


FROM_ELSEWHERE = {"data.root", "preprocessing.interpolation"}
"""Keys that the YAML takes from the environment or from the model."""


def test_config_yaml_repeats_the_defaults_of_the_schema() -> None:
    """Else a rule such as "null: chosen" is documented in the schema and never holds."""
    assert overridden(own("config"), RunConfig) == FROM_ELSEWHERE - {"preprocessing.interpolation"}
    assert overridden(own("probe"), ProbeConfig) == FROM_ELSEWHERE


@pytest.mark.parametrize("name", names("engine"))
def test_engines_leave_batch_size_and_threads_to_the_machine(name: str) -> None:
    assert overridden(own("engine", name), EngineConfig) == set()


@pytest.fixture
def vit_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_vit_folder()


@pytest.mark.usefixtures("vit_folder")
@pytest.mark.parametrize("name", names("model"))
def test_every_model_composes_and_builds(name: str) -> None:
    run = composed(f"model={name}", *GENERIC.get(name, []))
    build_parts(run)
    if name not in GENERIC:
        assert run.model.name == name
        assert run.model.weights.hash is not None
        assert run.model.weights.license is not None
        assert run.model.parameters is not None


def test_generic_models_take_their_name_and_facts() -> None:
    timm = composed("model=timm", *GENERIC["timm"])
    assert timm.model.name == "resnet18.a1_in1k"
    # timm evaluates its A1 ResNet-18 at 288 pixels, crop 1.0 (arXiv:2110.00476, table 1).
    assert (timm.model.input_size, timm.model.crop_pct) == (288, 1.0)
    assert timm.model.weights.hub == "timm/resnet18.a1_in1k"
    torchvision = composed("model=torchvision", *GENERIC["torchvision"])
    assert torchvision.model.weights.hash == "sha256:f37072fd"
    assert composed("model=checkpoint", *GENERIC["checkpoint"]).model.weights.file == "x.pth"


# foolbox 3.3.4 imports a name that SciPy will remove.
@pytest.mark.filterwarnings("ignore:Please import `gaussian_filter`:DeprecationWarning")
@pytest.mark.parametrize("group", ["attack", "benchmark", "engine", "preprocessing"])
def test_every_other_config_composes_and_builds(group: str) -> None:
    for name in names(group):
        run = composed("model=resnet50", f"{group}={name}", *NEEDED.get(name, []))
        build_parts(run)
        if group != "engine":
            assert {
                "attack": run.attack["name"],
                "benchmark": run.benchmark.name,
                "preprocessing": run.preprocessing["name"],
            }[group] == name


def test_the_variance_of_preprocessing_is_over_all_of_them() -> None:
    choices = swept("preprocessing_variance")["preprocessing"]
    assert sorted(choices) == sorted(names("preprocessing"))


@pytest.mark.parametrize("name", names("experiment"))
def test_every_experiment_composes_and_sweeps_over_configs_that_exist(name: str) -> None:
    config_of("model=resnet50", f"experiment={name}")
    for group, values in swept(name).items():
        if group not in GROUPS:
            continue
        assert set(values) <= set(names(group))
        assert len(set(values)) == len(values)


def test_the_published_table_is_26_models_on_seven_benchmarks() -> None:
    params = swept("published_table")
    assert set(params) == {"model", "benchmark"}
    assert len(params["model"]) == 26
    assert set(params["model"]) == set(published_models())
    assert set(params["benchmark"]) == PUBLISHED_BENCHMARKS
    assert len(params["benchmark"]) == 7


def test_the_robustness_suite_takes_any_models() -> None:
    params = swept("robustness_suite")
    assert len(params["benchmark"]) == 9
    jobs = Launch(["experiment=robustness_suite", "model=resnet50,moco_v2"]).jobs
    assert len(jobs) == 18
    assert all("model=resnet50" in job for job in jobs[:9])
    assert all("model=moco_v2" in job for job in jobs[9:])


def test_only_the_published_benchmarks_have_a_place_of_their_own() -> None:
    """So that the table of whoever runs no other one has no empty columns."""
    assert set(published_columns()) == PUBLISHED_BENCHMARKS


def test_what_has_seen_more_pictures_says_so() -> None:
    """By the sources in their own files: hashtags (WSL), JFT (Noisy Student)."""
    for model in published_models():
        said = composed(f"model={model}").model.trained_on
        assert (said is not None) == (model.endswith("_wsl") or "_ns" in model), model


@pytest.mark.parametrize("name", sorted(set(names("benchmark")) - BENCHMARKS))
def test_other_benchmarks_preprocess_like_a_published_one(name: str) -> None:
    def steps_of(benchmark: str) -> dict[str, PipelineConfig]:
        found = composed("model=resnet50", f"benchmark={benchmark}").benchmark
        return {
            family: replace(steps, extension=False)
            for family, steps in found.published_preprocessing.items()
        }

    known = [steps_of(one) for one in ("imagenet", "imagenet_c", "imagenet_p")]
    assert steps_of(name) in known
    pipelines = composed("model=resnet50", f"benchmark={name}").benchmark.published_preprocessing
    assert not any(pipeline.extension for pipeline in pipelines.values())


def test_the_demo_runs_every_published_benchmark() -> None:
    assert set(swept("demo")["benchmark"]) == PUBLISHED_BENCHMARKS


def native_size(model: str) -> int:
    """Of an EfficientNet, by its name."""
    size = model.removeprefix("tf_efficientnet_")
    return NATIVE_SIZES[size] if size in NATIVE_SIZES else NATIVE_SIZES[size.removesuffix("_ns")]


def family_and_size(model: str) -> tuple[bool, int]:
    """Whether it is an EfficientNet, and pixels."""
    tensorflow = model.startswith("tf_efficientnet")
    return tensorflow, native_size(model) if tensorflow else 224


ONE_OF_EACH_SIZE = list({family_and_size(model): model for model in published_models()}.values())
"""Beside the benchmark, a cell's pipeline depends on nothing else, and the test of normalisation
and size holds all 26 models to theirs."""


@pytest.mark.slow
@pytest.mark.parametrize("benchmark", sorted(BENCHMARKS))
@pytest.mark.parametrize("model", ONE_OF_EACH_SIZE)
def test_every_pipeline_of_the_published_table(model: str, benchmark: str) -> None:
    run = composed(f"model={model}", f"benchmark={benchmark}")
    build_parts(run)
    tensorflow, size = family_and_size(model)
    expected = {
        "square_crop": False,
        "resize": None,
        "crop": None,
        "resize_after_crop": None,
        "interpolation": "bilinear",
        **(efficientnet(benchmark, size) if tensorflow else TORCH_FAMILY[benchmark]),
    }
    steps = {key: run.preprocessing[key] for key in expected}
    assert steps == expected
    assert run.preprocessing["name"] == "published"
    assert run.attack["name"] == ("pgd_targeted" if benchmark == "adversarial" else "none")
    assert difference(run) == []
    extension = run.benchmark.published_preprocessing[run.model.family].extension
    extended = ("imagenet_c", "imagenet_c_generated", "imagenet_p", "imagenet_p_generated")
    assert extension == (tensorflow and benchmark in extended)


def test_a_family_without_a_pipeline_of_its_own_gets_the_default_one() -> None:
    own = ("~benchmark.published_preprocessing.tf_efficientnet",)
    run = composed("model=efficientnet_lite1", "benchmark=imagenet_a", *own)
    steps = {key: run.preprocessing[key] for key in ("resize", "crop", "interpolation")}
    assert steps == {"resize": 256, "crop": 224, "interpolation": "bilinear"}
    assert "preprocessing.resize=256" in difference(run)  # as shipped it has one
    run = composed("model=efficientnet_lite1", "benchmark=imagenet_a", "benchmark.name=my", *own)
    assert difference(run) == []
    neither = (*own, "~benchmark.published_preprocessing.default")
    with pytest.raises(ConfigError, match=r"no published_preprocessing\.default: add it .*=timm$"):
        composed("model=efficientnet_lite1", "benchmark=imagenet_a", *neither)


def test_the_published_attack_has_its_published_numbers() -> None:
    attack = composed("model=resnet50", "benchmark=adversarial").attack
    assert (attack["eps"], attack["step_size"], attack["iterations"]) == (0.06, 2 / 255, 10)


@pytest.mark.parametrize(
    ("benchmark", "n_expected"),
    [
        ("imagenet", 50_000),
        ("imagenet_a", 7_500),
        ("imagenet_c", 50_000),
        ("imagenet_c_generated", 50_000),
        ("imagenet_p", 50_000),
        ("imagenet_p_generated", 50_000),
        ("imagenet_sketch", 50_889),
        ("adversarial", 25_000),
    ],
)
def test_official_counts(benchmark: str, n_expected: int) -> None:
    run = composed("model=resnet50", f"benchmark={benchmark}")
    assert run.benchmark.protocol["n_expected"] == n_expected


@pytest.mark.parametrize("model", published_models())
def test_every_published_model_has_the_published_normalisation_and_size(model: str) -> None:
    run = composed(f"model={model}")
    assert run.model.mean == [0.485, 0.456, 0.406]
    assert run.model.std == [0.229, 0.224, 0.225]
    tensorflow, size = family_and_size(model)
    assert run.model.family == ("tf_efficientnet" if tensorflow else "default")
    assert run.model.interpolation == ("bicubic" if tensorflow else "bilinear")
    assert run.model.input_size == size


@pytest.mark.parametrize(
    ("model", "size", "crop_pct", "parameters", "weights_hash"),
    [
        ("resnet50", 224, 0.875, 25.557, "sha256:0676ba61"),
        ("resnext101_32x48d_wsl", 224, 0.875, 828.411, "sha256:3e41cc8a"),
        ("moco_v2", 224, 0.875, 25.557, "md5:a04e12f8"),
        ("tf_efficientnet_b4_ns", 380, 0.922, 19.342, "sha256:d6313a46"),
        ("tf_efficientnet_b8", 672, 0.954, 87.413, "sha256:572d5dd9"),
        ("tf_efficientnet_l2_ns", 800, 0.96, 480.309, "sha256:df73bb44"),
        ("tf_efficientnet_l2_ns_475", 475, 0.936, 480.309, "sha256:bebbd00a"),
    ],
)
def test_facts_of_some_models(
    model: str, size: int, crop_pct: float, parameters: float, weights_hash: str
) -> None:
    found = composed(f"model={model}").model
    assert (found.input_size, found.crop_pct) == (size, crop_pct)
    assert (found.parameters, found.weights.hash) == (parameters, weights_hash)


@pytest.mark.parametrize("model", published_models())
def test_the_hash_is_the_one_in_the_file_name(model: str) -> None:
    weights = composed(f"model={model}").model.weights
    assert weights.url is not None
    if model == "moco_v2":
        assert weights.layout == "moco_v2"
        assert weights.head_file == "weights/moco_v2_head.pth.tar"
        return
    assert weights.layout == "plain"
    assert weights.hash is not None
    assert weights.url.endswith(f"-{weights.hash.removeprefix('sha256:')}.pth")


@pytest.mark.parametrize(
    ("model", "resize"),
    [("resnet50", 256), ("tf_efficientnet_b4_ns", 412), ("tf_efficientnet_l2_ns", 833)],
)
def test_timms_scale_size(model: str, resize: int) -> None:
    # floor(224 / 0.875), floor(380 / 0.922) = floor(412.1), floor(800 / 0.96) = floor(833.3)
    run = composed(f"model={model}", "preprocessing=timm")
    assert run.preprocessing["resize"] == resize
    assert run.preprocessing["crop"] == run.model.input_size
