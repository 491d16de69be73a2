"""One page about the machine: it says what is there, what is not, and never fails itself."""

import json
import logging
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from oodbench.cli.doctor import main
from oodbench.core import versions as versions_module
from oodbench.core.errors import DataError
from oodbench.core.schema import WeightsConfig
from oodbench.sweeps.catalogue import load_runs
from oodbench.sweeps.machine import engines as engines_module
from oodbench.sweeps.machine import hardware as hardware_module
from oodbench.sweeps.machine import page, storage
from oodbench.sweeps.machine.data_sets import data_sets
from oodbench.sweeps.machine.engines import engines
from oodbench.sweeps.machine.findings import Finding, Part, part
from oodbench.sweeps.machine.hardware import hardware
from oodbench.sweeps.machine.packages import extras, packages
from oodbench.sweeps.machine.storage import caches, disks
from oodbench.sweeps.machine.weights import weights

FEW = ["compiled", "cuda_graphs", "eager"]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def by_name(found: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in found}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engines_module, "shipped", lambda _: FEW)
    return tmp_path


def test_packages_have_their_versions() -> None:
    found = by_name(packages())
    assert found["torch"] == Finding("torch", "ok", version("torch"))
    assert {finding.state for finding in found.values()} == {"ok"}
    assert "pytest" not in found


def test_a_missing_package_is_wrong_and_a_missing_extra_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def of(name: str) -> str:
        if name in ("timm", "onnx"):
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(versions_module, "version", of)
    assert by_name(packages())["timm"] == Finding(
        "timm", "bad", "not installed", "pip install timm"
    )
    lacking = by_name(extras())["onnx"]
    assert (lacking.state, lacking.said) == ("-", "not installed: onnx")
    assert "pip install -e '.[onnx]'" in lacking.mend
    assert by_name(extras())["openvino"].state == "ok"
    assert "dev" not in by_name(extras())


def test_engines_are_tried(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = by_name(engines())
    assert found["eager"].state == "ok"
    assert found["eager"].said.startswith("ready after")
    assert found["compiled"].mend == "oodbench-doctor --all-engines"
    if not torch.cuda.is_available():
        assert found["cuda_graphs"].state == "-"
        assert "needs a CUDA device" in found["cuda_graphs"].said
    assert not caplog.records


def test_an_engine_that_breaks_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no kernel for this processor\nand a long trace")

    monkeypatch.setattr(engines_module, "prepared", broken)
    assert by_name(engines())["eager"] == Finding("eager", "-", "no kernel for this processor")


def test_hardware_within_its_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text("150000 100000\n")
    monkeypatch.setattr(hardware_module, "_QUOTA", quota)
    monkeypatch.setattr(hardware_module, "free_bytes", lambda _: 2**30)
    found = by_name(hardware())
    assert "the time of 1.5 cores" in found["cpu"].said
    assert found["memory"].state == "bad"
    assert found["memory"].said == "1.0 GiB are free"
    assert found["memory"].mend


def test_disks_that_are_full_or_closed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = by_name(disks(home / "nowhere", home / "out"))
    assert "nowhere (not there yet)" in found["pictures"].said
    assert found["results"].state == "ok"
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: Usage(10, 9, 1))
    found = by_name(disks(home, home))
    assert found["pictures"].state == "ok"  # it is only read
    assert (found["results"].state, found["results"].mend) == ("bad", "make room")
    monkeypatch.setattr(storage.os, "access", lambda *_: False)
    assert by_name(disks(home, home))["results"].mend == f"chmod u+w {home}"


def test_caches_have_sizes_and_say_how_to_clear_them(home: Path) -> None:
    kept = home / ".cache" / "engines"
    kept.mkdir(parents=True)
    (kept / "model.onnx").write_bytes(bytes(3_000_000))
    found = by_name(caches())
    assert found["exported models"].said == ".cache/engines: 3 MB"
    assert found["exported models"].mend == "to clear it: rm -r .cache/engines"
    assert found["decoded pictures"].said.endswith("empty")


def test_data_sets_are_counted(home: Path) -> None:
    found = by_name(data_sets(home))
    assert found["complete"].said == "0 benchmarks"
    assert "imagenet_sketch" in found["not there"].said
    stimuli = home / "cue-conflict" / "cat"
    stimuli.mkdir(parents=True)
    (stimuli / "cat1-dog1.png").touch()
    found = by_name(data_sets(home))
    assert found["incomplete"].said == "1 benchmarks: cue_conflict"
    assert found["incomplete"].mend == f"oodbench-data check --data-root {home}"


def test_weights_are_counted(home: Path) -> None:
    found = by_name(weights())
    assert found["published models"].said == "0 of 26 are on disk"
    assert found["published models"].mend == "oodbench-models fetch --published"
    assert found["other models"].said.startswith("3 of ")
    assert "efficientnet_lite0" in found["other models"].said


@pytest.mark.parametrize("model", ["moco_v2", "tf_efficientnet_l2_ns_475", "efficientnet_lite0"])
def test_weights_are_looked_for_where_a_run_does(
    home: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    asked = {}

    def locate(name: str, weights: WeightsConfig, directory: Path, *, download: bool) -> list[str]:
        asked[name] = (weights, directory, download)
        return []

    monkeypatch.setattr("oodbench.sweeps.machine.weights.locate", locate)
    monkeypatch.setenv("OODBENCH_WEIGHTS", str(home / "elsewhere"))
    list(weights())
    (run,) = load_runs([model])
    assert asked[model] == (run.model.weights, home / "elsewhere", False)


def test_a_look_that_fails_is_a_finding() -> None:
    def look() -> Iterator[Finding]:
        yield Finding("first", "ok", "there")
        raise DataError("the disk is gone")

    found = part("disks", look)
    assert found.findings[0].name == "first"
    assert found.findings[1] == Finding("disks", "bad", "the disk is gone")


def test_the_page(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    titles = [
        "packages",
        "extras",
        "hardware",
        "engines",
        "disks",
        "caches",
        "data sets",
        "weights",
    ]
    assert [line for line in said.splitlines() if line in titles] == titles
    assert said.endswith("and only some runs need it.\n")
    assert main(["--json", "-"]) == 0
    assert [one["title"] for one in json.loads(capsys.readouterr().out)] == titles


def test_what_is_wrong_is_counted(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from oodbench.cli import doctor

    bad = Finding("memory", "bad", "1.0 GiB\x1b[31m are free", "close other programs")
    monkeypatch.setattr(doctor, "examined", lambda *_, **__: [Part("hardware", (bad,))])
    assert main([]) == 1
    assert capsys.readouterr().out == (
        "hardware\n  bad  memory  1.0 GiB\\x1b[31m are free\n"
        "               → close other programs\n"
        "\n1 thing wrong: see the lines marked bad.\n"
    )
    assert page.wrong([Part("hardware", (bad,))]) == ["memory"]
