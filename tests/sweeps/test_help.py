"""--help describes each key in one line and lists the groups that the command takes."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml
from calling import call
from toys import Cli

from oodbench.cli import probe
from oodbench.core.descriptions import descriptions
from oodbench.core.schema import RunConfig
from oodbench.probe.schema import ProbeConfig
from oodbench.sweeps.jobs import Launch

CONF = Path(__file__).parents[2] / "conf"


def keys(schema: type, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key with its description."""
    hints = get_type_hints(schema)
    for field in fields(schema):
        if is_dataclass(hints[field.name]):
            yield from keys(hints[field.name], f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", descriptions(schema)[field.name]


def said(text: str) -> dict[str, str]:
    """Lines of the help by key: the default and the description."""
    found = re.findall(r"^  ([a-z_.]+)((?:=\S*)? .*\S)$", text.split("Keys, ")[1], re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize("schema", [RunConfig, ProbeConfig])
def test_every_key_has_a_description(schema: type) -> None:
    assert [key for key, description in keys(schema) if not description] == []


def groups(text: str) -> dict[str, str]:
    """Groups of the help with their names, on one line each."""
    section = text.split("Groups, GROUP=NAME:\n")[1].split("\n\n")[0]
    lines = re.sub(r"\n {6,}", " ", section).splitlines()
    return {line.split()[0].rstrip(":"): line.split(": ")[-1] for line in lines}


def in_folder(group: str) -> str:
    return ", ".join(sorted(path.stem for path in (CONF / group).glob("*.yaml")))


def test_oodbench(cli: Cli) -> None:
    shown = cli("--help", "model=resnet50")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = said(shown.stdout)
    assert set(lines) == {key for key, _ in keys(RunConfig)}
    config = Launch(["model=resnet50"]).config(["model=resnet50"])
    for key in ("data.root", "data.allow_partial", "limit", "model.mean", "weights.dir"):
        (default,) = re.findall(r"^=(\S+)", lines[key])
        node, _, name = key.rpartition(".")
        expected = (config[node] if node else config)[name]
        assert yaml.safe_load(default) == expected, key
    listed = groups(shown.stdout)
    names = ("attack", "benchmark", "preprocessing", "engine", "experiment", "logger")
    assert {name: listed.pop(name) for name in names} == {name: in_folder(name) for name in names}
    # The folder of the user's configs is given; a recipe is the probe's.
    assert set(listed) == {"model"}
    assert sorted(listed["model"].split(", ")) == sorted([*in_folder("model").split(", "), "toy"])


def test_probe(tmp_path: Path) -> None:
    shown = call(probe.main, ["-h"], folder=tmp_path)
    assert shown.returncode == 0
    assert groups(shown.stdout) == {name: in_folder(name) for name in ("model", "recipe")}
    assert set(said(shown.stdout)) == {key for key, _ in keys(ProbeConfig)}


def test_completion_knows_configs_and_keys(tmp_path: Path) -> None:
    from oodbench.run import main

    for line, completed in (
        ("oodbench model=efficientnet_l", "model=efficientnet_lite1"),
        ("oodbench data.allow", "data.allow_partial="),
    ):
        found = call(main, ["-sc", "query=bash"], folder=tmp_path, COMP_LINE=line)
        assert completed in found.stdout.split()
