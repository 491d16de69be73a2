"""Attack configs and the experiments on attacks, job by job as Hydra's sweeper makes them."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from configs import config_of
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from test_conf import build_parts, composed, published_models
from toys import Cli

from oodbench.core.building import build
from oodbench.core.schema import RunConfig
from oodbench.runs.naming.difference import difference


def jobs(experiment: str) -> list[list[str]]:
    """Overrides of every job, split as the basic sweeper splits them."""
    hydra = OmegaConf.to_container(OmegaConf.create({"params": _params(experiment)}), resolve=True)
    assert isinstance(hydra, dict)
    lines = [f"{key}={value}" for key, value in hydra["params"].items()]
    axes = []
    for override in OverridesParser.create().parse_overrides(lines):
        key = override.get_key_element()
        if override.is_sweep_override():
            axes.append([f"{key}={value}" for value in override.sweep_string_iterator()])
        else:
            axes.append([f"{key}={override.get_value_element_as_str()}"])
    return [list(job) for job in product(*axes)]


def _params(experiment: str) -> dict[str, str]:
    folder = Path(__file__).parents[2] / "conf" / "experiment"
    config_of("model=resnet50")  # registers the resolvers
    loaded: dict[str, Any] = OmegaConf.load(folder / f"{experiment}.yaml").hydra.sweeper.params
    return dict(loaded)


def runs(experiment: str) -> list[RunConfig]:
    found = [composed(f"experiment={experiment}", *job) for job in jobs(experiment)]
    for run in found:
        build_parts(run)
    return found


def test_the_published_attack_on_all_published_models() -> None:
    swept = jobs("adversarial_published")
    assert {job[0] for job in swept} == {f"model={name}" for name in published_models()}
    assert len(swept) == 26
    for job in (swept[0], swept[-1]):
        run = composed("experiment=adversarial_published", *job)
        build_parts(run)
        assert (run.benchmark.name, run.attack["name"]) == ("adversarial", "pgd_targeted")
        assert difference(run) == []
        assert run.limit is None


def test_the_strong_attack_at_two_radii_on_a_subset() -> None:
    found = runs("adversarial_strong")
    radii = [(run.model.name, build(run.attack, "attack").eps) for run in found]
    assert len(radii) == 10
    assert len({name for name, _ in radii}) == 5
    assert {eps for _, eps in radii} == {4 / 255, 8 / 255}
    for run in found:
        assert (run.benchmark.name, run.attack["name"]) == ("adversarial", "autoattack")
        assert run.preprocessing["name"] == "resize256_crop224"
        assert run.limit == 1000
    again = composed("experiment=adversarial_strong", *jobs("adversarial_strong")[0], "limit=5000")
    assert again.limit == 5000


def test_one_model_at_several_resolutions() -> None:
    found = runs("attack_resolution")
    assert {run.model.name for run in found} == {"tf_efficientnet_b4_ns"}
    assert [run.preprocessing["resize"] for run in found] == [224, 300, 380]
    assert [difference(run)[1:2] for run in found] == [
        ["preprocessing.resize=224"],
        ["preprocessing.resize=300"],
        [],
    ]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        # fra31/auto-attack, version standard.
        ("apgd_ce", {"iterations": 100, "restarts": 1, "loss": "ce"}),
        ("apgd_t", {"iterations": 100, "restarts": 1, "targets": 9, "loss": "dlr_targeted"}),
        ("square", {"queries": 5000, "first_area": 0.8}),
        ("autoattack", {"iterations": 100, "targets": 9, "queries": 5000, "eps": 4 / 255}),
        # torchattacks' defaults.
        ("cw_l2", {"c": 1.0, "kappa": 0.0, "iterations": 50, "learning_rate": 0.01}),
        ("transfer", {}),
    ],
)
def test_attacks_have_their_authors_numbers(name: str, numbers: dict[str, Any]) -> None:
    source = ["model@attack.source=efficientnet_lite0"] if name == "transfer" else []
    run = composed("model=resnet50", "benchmark=adversarial", f"attack={name}", *source)
    build_parts(run)
    assert numbers.items() <= run.attack.items()
    assert difference(run)[0] == f"attack={name}"
    # Its source and the attack on it, and the radius of whatever has one.
    radius = [word for word in difference(run) if word.partition("=")[0].endswith(".eps")]
    assert len(radius) == (name != "cw_l2")
    assert len(difference(run)) == 1 + 2 * len(source) + len(radius)


@pytest.mark.parametrize("inner", ["pgd_targeted", "apgd_ce", "torchattacks", "pgd_l2"])
def test_any_attack_can_be_the_one_on_the_source(inner: str) -> None:
    run = composed(
        "model=resnet50",
        "attack=transfer",
        "model@attack.source=efficientnet_lite0",
        f"attack@attack.attack={inner}",
        "attack.attack.eps=0.01",
    )
    built = build(run.attack, "attack")
    assert (built.inner.name, built.eps, built.norm) == (inner, 0.01, built.inner.norm)


@pytest.mark.slow
def test_a_sweep_over_resolutions_and_strong_attacks_runs(toy: Path, cli: Cli) -> None:
    done = cli("-m", "experiment=attack_resolution", "model=toy", "preprocessing.resize=20,24")
    assert done.returncode == 0, done.stdout
    results = (toy / "outputs/runs/adversarial/toy").glob("*/result.json")
    found = [json.loads(path.read_text())["difference"] for path in results]
    assert sorted(words[1] for words in found) == [
        "preprocessing.resize=20",
        "preprocessing.resize=24",
    ]
    strong = cli(
        "-m",
        "experiment=adversarial_strong",
        "model=toy",
        "preprocessing=timm",
        "limit=3",
        "attack.iterations=3",
        "attack.queries=5",
        "output_root=strong",
    )
    assert strong.returncode == 0, strong.stdout
    assert len(list((toy / "strong/runs/adversarial/toy").glob("*/result.json"))) == 2
