"""The jobs of a command line are those that `oodbench` launches."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_module
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_automatic_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.core.utils import setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from toys import Cli

from oodbench.core.errors import ConfigError
from oodbench.core.schema import validate
from oodbench.sweeps.composing import CONFIG_PATH, register_all
from oodbench.sweeps.jobs import Launch, SweepLoader, jobs


def launched(toy: Path) -> list[list[str]]:
    """What Hydra itself wrote down of every job it launched, in their order."""
    files = sorted(
        (toy / "outputs" / "logs").rglob("overrides.yaml"),
        key=lambda path: int(path.parent.parent.name),
    )
    return [yaml.safe_load(file.read_text()) for file in files]


EXPERIMENT = """# @package _global_
limit: 3
hydra:
  mode: MULTIRUN
  sweeper:
    params:
      model: toy,timm
      seed: range(0,4,2)
      attack.eps: ${frac:4,255},${frac:8,255}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "model=toy,timm", "benchmark=glob(imagenet_*,exclude=*_generated)", "seed=1"),
        ("-m", "preprocessing=choice(timm,square)", "model=toy", "+model.mean=[0.5,0.5,0.5]"),
        ("experiment=mine", "model=toy", "attack=pgd_linf"),
        ("experiment=mine", "attack=fgsm", "seed=3,1"),
    ],
)
def test_a_sweep_has_the_jobs_that_hydra_launches(
    toy: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    (toy / "my_conf" / "experiment").mkdir()
    (toy / "my_conf" / "experiment" / "mine.yaml").write_text(EXPERIMENT)
    # No data: the jobs end at once.
    swept = cli(*arguments, "data.root=nowhere")
    overrides = [argument for argument in arguments if argument != "-m"]
    monkeypatch.chdir(toy)
    found = jobs(
        ["data.root=data", "data.allow_partial=true", *overrides, "data.root=nowhere"],
        multirun="-m" in arguments,
        config_dir=Path("my_conf"),
    )
    assert len(found) >= 2
    assert f"{len(found)} jobs" in swept.stdout
    assert found == launched(toy)


def test_a_single_run_is_one_job(toy: Path) -> None:
    overrides = ["model=toy", "limit=3"]
    launch = Launch(overrides, config_dir=toy / "my_conf")
    assert (launch.jobs, launch.multirun) == ([overrides], False)
    run = validate(launch.config(launch.jobs[0]))
    assert (run.model.name, run.limit) == ("toy", 3)


def test_a_job_s_config_is_the_one_that_hydra_composes() -> None:
    launch = Launch(["experiment=published_table", "budget=2%"])
    assert len(launch.jobs) == 26 * 7
    assert launch.jobs[0][:2] == ["model=moco_v2", "benchmark=imagenet"]
    assert launch.jobs[-1][:2] == ["model=tf_efficientnet_b0", "benchmark=adversarial"]
    # The second time everything is read from memory.
    for job in [*launch.jobs[:2], launch.jobs[-1], launch.jobs[0]]:
        with initialize_config_module("oodbench.conf", version_base="1.3"):
            expected = compose("config", overrides=job)
        found = launch.config(job)
        assert OmegaConf.to_container(found) == OmegaConf.to_container(expected)
        assert validate(found).budget == "2%"


def test_the_config_of_a_sweep_s_check_is_used_once_more() -> None:
    setup_globals()
    register_all()
    with_hydra = create_automatic_config_search_path(None, None, CONFIG_PATH)
    loader = SweepLoader(with_hydra)
    master = loader.load_configuration("config", ["model=resnet50,moco_v2"], RunMode.MULTIRUN)
    folder = master.hydra.sweep.dir  # named after the time
    job = ["model=resnet50", "limit=3"]
    checked = loader.load_sweep_config(master, job)
    expected = ConfigLoaderImpl(with_hydra).load_sweep_config(master, job)
    for config in (checked, loader.load_sweep_config(master, job)):
        assert unresolved(config) == unresolved(expected)
        assert config.hydra.sweep.dir == folder
        OmegaConf.update(config, "limit", 4)
    assert loader.load_sweep_config(master, job).limit == 3
    sent = pickle.loads(pickle.dumps(loader))
    assert sent.load_sweep_config(master, ["limit=5"]).limit == 5


@dataclass
class Renamed:
    """The node of a launcher whose class cannot be had by its name any more."""

    _target_: str = "somewhere.Launcher"
    n_jobs: int = 3


Renamed.__qualname__ = "SomethingElse"


def test_launchers_whose_nodes_cannot_be_pickled() -> None:
    setup_globals()
    register_all()
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(OmegaConf.structured(Renamed))
    store = ConfigStore.instance()
    store.store(group="hydra/launcher", name="renamed", node=Renamed, provider="a test")
    try:
        loader = SweepLoader(create_automatic_config_search_path(None, None, CONFIG_PATH))
        overrides = ["model=resnet50", "hydra/launcher=renamed"]
        master = loader.load_configuration("config", overrides, RunMode.MULTIRUN)
        for limit in (4, 5):
            for _ in range(2):
                config = loader.load_sweep_config(master, ["model=resnet50", f"limit={limit}"])
                assert (config.limit, config.hydra.launcher.n_jobs) == (limit, 3)
    finally:
        del store.repo["hydra"]["launcher"]["renamed.yaml"]


def unresolved(config: DictConfig) -> Any:
    return OmegaConf.to_container(config, resolve=False)


def test_a_search_path_on_the_command_line_is_looked_at(toy: Path) -> None:
    path = f"hydra.searchpath=[file://{toy / 'my_conf'}]"
    launch = Launch(["model=toy,resnet50", path], multirun=True)
    names = [validate(launch.config(job)).model.name for job in launch.jobs]
    assert names == ["toy", "resnet50"]


def test_a_glob_without_a_match_has_no_job() -> None:
    assert jobs(["model=glob(nothing*)"], multirun=True) == []


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model=resnet_50"], r"model=resnet_50: did you mean resnet50\?"),
        (["model=resnet50,moco_v2"], "several values make a sweep: add -m"),
        (["model=resnet50", "engine.batchsize=3"], "batchsize"),
        (["model"], "model"),
        (["model=resnet50", "attack=null"], "attack=null: .* for none give attack=none; available"),
        (["model=resnet50", "engine=3"], "engine=3: .* a config: available: auto, compiled"),
        (["-m", "model=resnet50", "attack=none,null"], "attack=null: .* give attack=none"),
    ],
)
def test_what_hydra_refuses_is_one_line(overrides: list[str], said: str) -> None:
    def composed() -> None:
        launch = Launch([o for o in overrides if o != "-m"], multirun="-m" in overrides)
        launch.config(launch.jobs[-1])

    with pytest.raises(ConfigError, match=said) as caught:
        composed()
    assert "\n" not in str(caught.value)


def test_a_folder_of_configs_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"--config-dir nowhere: no such folder"):
        jobs(["model=resnet50"], config_dir=Path("nowhere"))


def test_another_sweeper_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"hydra\.sweeper=my\.Sweeper: .*basic sweeper"):
        jobs(["model=resnet50", "hydra.sweeper._target_=my.Sweeper"], multirun=True)
