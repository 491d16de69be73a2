"""What Hydra refuses is one line with the key and the remedy; so are --version and ~."""

import re
from pathlib import Path

import pytest
from calling import call
from toys import Cli

from oodbench.cli import plan
from oodbench.run import main
from oodbench.sweeps.launching import sweep_first, with_home

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
        assert sweep_first(given)[0] == line[1]
        assert sweep_first(given)[1:] == [*given[:3], "data.root=nowhere"]
    swept = call(main, ["model=resnet50", "-m", "data.root=nowhere"], folder=tmp_path)
    assert re.fullmatch(r"1 job in \d+ s: none done, 1 failed\n", swept.stdout)


def test_plans_say_the_same(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main(["model=resnet50", "limt=5"]) == 1
    assert capsys.readouterr().err.startswith("error: unknown key limt: did you mean limit?")
