"""What Hydra refuses is one line with the key and the remedy; so are --version and ~."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from calling import call
from hydra.errors import MissingConfigException
from toys import Cli

from oodbench.cli import plan, probe
from oodbench.run import main
from oodbench.sweeps.launch_errors import launch_line
from oodbench.sweeps.launching import options_first, with_home

REFUSED = [
    (["limt=5"], r"unknown key limt: did you mean limit\? available: attack, "),
    (["model=toyy"], r"model=toyy: did you mean toy\? available: "),
    (["benchmark=x"], "benchmark=x: available: adversarial, "),
    (["attack=nan"], "attack=nan: attack takes the name of a config: for none give attack=none"),
    (["attack=7"], "attack=7: attack takes the name of a config: for none give attack=none"),
    (["attack=null"], "attack=null: attack takes the name of a config: for none give attack=none"),
    (["limit=None"], "limit=None: Value 'None' of type 'str' .*: no value is null"),
    (["seed=x"], "seed=x: Value 'x' of type 'str' could not be converted to Integer"),
    (["model"], "model: cannot be parsed .* an override is KEY=VALUE"),
    (["data.root=a b("], r"data\.root=a b\(: cannot be parsed .* quote a value"),
    (
        ["attack=pgd_linf", "attack.epss=1"],
        r"unknown key attack\.epss: did you mean eps\? .*; a further argument: \+attack\.epss=",
    ),
    (["output_root=file"], "no folder for the logs: .*'file/logs.*: set output_root to a folder"),
    (["output_root=/dev/null"], "no folder for the logs: .*: set output_root to a folder"),
]


@pytest.mark.parametrize(("overrides", "line"), REFUSED, ids=lambda value: str(value)[:30])
def test_one_line(overrides: list[str], line: str, toy: Path, cli: Cli) -> None:
    (toy / "file").write_text("no folder")
    found = cli("model=toy", "benchmark=imagenet", *overrides)
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr.count("\n") == 1
    assert re.match(f"error: .*{line}", found.stderr), found.stderr


def test_the_traceback_is_there_for_those_who_want_it(toy: Path, cli: Cli) -> None:
    with pytest.raises(Exception, match="limt"):
        call(main, ["limt=5", "model=resnet50"], folder=toy, HYDRA_FULL_ERROR="1")


def test_version(cli: Cli) -> None:
    found = cli("--version")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("oodbench ")


def test_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    given = ["data.root=~/data", "+a.b=~", "~attack", "c=~d", "d=x~/y", "--multirun"]
    assert with_home(given) == [
        *("data.root=/home/me/data", "+a.b=/home/me", "~attack", "c=~d", "d=x~/y", "--multirun"),
    ]


def test_a_sweep_may_be_asked_for_anywhere(tmp_path: Path) -> None:
    for line in (("model=toy", "-m"), ("model=toy", "--multirun")):
        given = ["--config-dir", "my_conf", *line, "data.root=nowhere"]
        assert options_first(given)[0] == line[1]
        assert options_first(given)[1:] == [*given[:3], "data.root=nowhere"]
    swept = call(main, ["model=resnet50", "-m", "data.root=nowhere"], folder=tmp_path)
    assert re.fullmatch(r"1 job in \d+ s: none done, 1 failed\n", swept.stdout)


def test_options_may_stand_among_the_overrides() -> None:
    given = ["a=1", "--cfg", "job", "b=2", "-cd", "my=conf", "--info", "c=3", "--resolve"]
    assert options_first(given) == [
        *("--cfg", "job", "-cd", "my=conf", "--info", "--resolve", "a=1", "b=2", "c=3"),
    ]


def test_plans_say_the_same(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main(["model=resnet50", "limt=5"]) == 1
    assert capsys.readouterr().err.startswith("error: unknown key limt: did you mean limit?")


OPTIONS = [
    (["-m", "--cfg", "job"], 2, r"-m and --cfg: give one of them; --cfg shows a single run: leave"),
    (["--multirun", "--info", "all"], 2, "-m and --info: give one of them; --info shows a single"),
    (["-m", "--run"], 2, "-m and --run: give one of them$"),
    (["-m", "-sc", "install=bash"], 2, "-m and --shell-completion: give one of them$"),
    (["--cfg", "job", "--info", "all"], 2, "--cfg and --info: give one of them$"),
    (["-sc"], 2, "--shell-completion: give install=bash"),
    (["--resolve"], 2, "--resolve: only with --cfg job"),
    (["--package", "data"], 2, "--package: only with --cfg job"),
    (["--experimental-rerun", "trap.pickle"], 2, "--experimental-rerun: not supported"),
    (["--config-name", "nothing"], 1, "Cannot find primary config 'nothing': leave out --config-"),
    (["--config-path", "nothing"], 1, "Primary config module .* not found: leave out --config-na"),
    (["--config-dir", "nothing"], 1, "Additional config directory '.*nothing' not found$"),
    (["--info", "defaults", "model=x"], 1, "model=x: available: "),
    (["model=a,b"], 1, "model=a,b: several values make a sweep: add -m; one value that is a list"),
    (["seed=range(1,3)"], 1, r"seed=range\(1,3\): several values make a sweep: add -m"),
]


@pytest.mark.parametrize("command", [main, probe.main])
@pytest.mark.parametrize(("given", "code", "line"), OPTIONS, ids=lambda value: str(value)[:40])
def test_options_that_do_not_go_together(
    command: Callable[[], None], given: list[str], code: int, line: str, tmp_path: Path
) -> None:
    (tmp_path / "trap.pickle").write_bytes(b"cos\nmkdir\n(Vtrapped\ntR.")
    found = call(command, given, folder=tmp_path)
    assert found.returncode == code
    assert found.stderr.count("\n") == 1
    assert re.match(f"error: {line}", found.stderr), found.stderr
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("command", [main, probe.main])
@pytest.mark.parametrize("more", [[], ["-m"], ["model=resnet50", "limit=1"]])
def test_the_help_of_hydra_whatever_stands_beside_it(
    command: Callable[[], None], more: list[str], tmp_path: Path
) -> None:
    found = call(command, ["--hydra-help", *more], folder=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("Hydra (")


def test_a_part_of_a_config_is_shown(tmp_path: Path) -> None:
    shown = ("--cfg", "job", "--package", "data")
    found = call(main, [*shown, "model=resnet50", "data.root=pictures"], folder=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("# @package data\nroot: pictures\n")


def test_a_config_that_names_one_that_is_not_there(toy: Path, cli: Cli) -> None:
    (toy / "my_conf" / "model" / "lost.yaml").write_text("defaults:\n  - nothing\n")
    found = cli("model=lost")
    assert (found.returncode, found.stdout) == (1, "")
    line = "In 'model/lost': Could not load 'model/nothing': no such config"
    assert found.stderr == f"error: {line}\n"


@pytest.mark.parametrize(
    ("plugin", "extra"),
    [
        ("joblib", "joblib"),
        ("submitit_slurm", "slurm"),
        ("submitit_local", "slurm"),
        ("ray", "ray"),
    ],
)
def test_a_launcher_that_is_not_installed_names_its_extra(plugin: str, extra: str) -> None:
    """Of that config, or of a shipped one that rests on it."""
    missing = MissingConfigException("Could not find it", f"hydra/launcher/{plugin}", ["basic"])
    said = launch_line(missing)
    assert said == (
        f"hydra/launcher={plugin}: not installed: in the clone of oodbench: pip install -e "
        f"'.[{extra}]'"
    )
