"""oodbench-plan: what a sweep would do, counted without doing it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import WNIDS, Cli, write_pictures

import oodbench.models.weights
from oodbench.cli import plan as forecast_cli
from oodbench.core.resampling.packed import Packed
from oodbench.core.resampling.unresized import Unresized
from oodbench.models.hub import hub_file
from oodbench.reference import published_models
from oodbench.sweeps.forecast import times as forecast_times
from oodbench.sweeps.forecast.memory import COPIES, PROCESS_BYTES
from oodbench.sweeps.forecast.needs import ATTACKED_ROW_BYTES, ROW_BYTES

PIPELINE = "preprocessing=timm"


@pytest.fixture
def planned(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> "Planned":
    """`oodbench-plan` in the toy folder; downloads are an error of the test."""
    monkeypatch.chdir(toy)
    monkeypatch.syspath_prepend(str(toy))
    monkeypatch.setattr(oodbench.models.weights, "download_file", _refused)
    monkeypatch.setattr(oodbench.models.weights, "hub_file", _only_stored)
    monkeypatch.setenv("HF_HOME", str(toy / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(toy / "torch"))
    return Planned(capsys)


def _refused(*_: Any, **__: Any) -> None:
    raise AssertionError("a plan downloads nothing")


def _only_stored(repository: str, file: str, *, download: bool) -> Path:
    assert not download
    return hub_file(repository, file, download=False)


class Planned:
    """Calls the program and keeps what it said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.code = 0
        self.out = self.err = ""
        self.content: dict[str, Any] = {}

    def __call__(self, *arguments: str, calibration: bool = False) -> list[dict[str, Any]]:
        """The runs of the JSON file."""
        options = ["--config-dir", "my_conf", "--json", "plan.json"]
        options += [] if calibration else ["--no-calibration"]
        usual = ["data.root=data", "data.allow_partial=true"]
        self.code = forecast_cli.main([*options, *usual, *arguments])
        self.out, self.err = self.capsys.readouterr()
        self.content = json.loads(Path("plan.json").read_text())
        runs: list[dict[str, Any]] = self.content["runs"]
        return runs


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_a_run_is_counted_and_nothing_is_written(toy: Path, planned: Planned) -> None:
    before = files_below(toy)
    (run,) = planned("model=toy", PIPELINE)
    assert planned.code == 0
    assert files_below(toy) - before == {toy / "plan.json"}
    assert (run["model"], run["benchmark"]) == ("toy", "imagenet")
    assert (run["preprocessing"], run["attack"]) == ("timm", "none")
    assert (run["to_do"], run["done"]) == (60, 0)
    # The toy is one Linear(48, 1000) behind its pooling, at 32 pixels.
    assert run["gmacs_a_picture"] == 48_000 / 1e9
    assert run["gmacs"] == pytest.approx(60 * 48_000 / 1e9)
    assert run["seconds"] is None
    assert run["disk_bytes"] == 60 * ROW_BYTES
    # Pooling is its widest layer: 3 x 32 x 32 floats in, 3 x 4 x 4 out; two batches of 8.
    activations = 4 * 3 * (32 * 32 + 4 * 4) * 8 * 2
    assert run["memory_bytes"] == PROCESS_BYTES + COPIES * 4 * 49_000 + activations
    assert "toy" in planned.out
    assert "60 pictures to do, 0 done" in planned.out
    assert planned.err == ""


def test_the_budget_and_the_shard_are_counted(planned: Planned) -> None:
    arguments = ("model=toy", PIPELINE, "benchmark.chunk_size=10")
    assert planned(*arguments, "budget=25%")[0]["to_do"] == 15
    assert planned(*arguments, "budget=25%", "limit=4")[0]["to_do"] == 4
    # Of chunks of 10, 10 and 5 pictures the first and the third.
    assert planned(*arguments, "budget=25", "shard.count=2")[0]["to_do"] == 15


def test_what_is_done_already_is_not_to_do(cli: Cli, planned: Planned) -> None:
    assert cli("model=toy", PIPELINE, "engine=eager", "budget=20%").returncode == 0
    (run,) = planned("model=toy", PIPELINE)
    assert (run["to_do"], run["done"]) == (48, 12)
    assert run["gmacs"] == pytest.approx(48 * 48_000 / 1e9)
    (again,) = planned("model=toy", PIPELINE, "budget=20%")
    assert (again["to_do"], again["done"], again["gmacs"]) == (0, 12, 0)
    (smaller,) = planned("model=toy", PIPELINE, "budget=1")
    assert (smaller["to_do"], smaller["done"]) == (0, 1)
    # Unknown weights: nothing on disk is reused.
    (unknown,) = planned("model=toy", PIPELINE, "model.weights.identity=null")
    assert (unknown["to_do"], unknown["done"]) == (60, 0)


def test_official_counts_stand_for_data_sets_of_which_a_part_is_there(
    cli: Cli, planned: Planned
) -> None:
    """Nothing counts as done, a budget is a part of all, and names of one run are done once."""
    whole = ("model=toy", PIPELINE, "--official-counts", "data.allow_partial=false")
    assert cli("model=toy", PIPELINE, "engine=eager", "budget=20%").returncode == 0
    (run,) = planned(*whole)
    assert (run["to_do"], run["done"]) == (50_000, 0)
    assert run["gmacs"] == pytest.approx(50_000 * 48_000 / 1e9)
    assert planned(*whole, "budget=2%")[0]["to_do"] == 1_000
    assert planned(*whole, "shard.count=8", "shard.index=7")[0]["to_do"] < 50_000 / 7
    names = ("-m", "preprocessing.name=one,two")
    assert [one["to_do"] for one in planned(*whole, *names)] == [50_000, 0]


def test_parts_that_are_not_there_are_not_counted_and_named(toy: Path, planned: Planned) -> None:
    write_pictures(toy / "data" / "imagenet-c" / "fog" / "1", per_class=1)
    whole = ("model=toy", PIPELINE, "--official-counts", "benchmark=imagenet_c")
    (run,) = planned(*whole)
    assert run["to_do"] == 50_000
    assert planned.code == 1
    (line,) = planned.err.splitlines()
    assert line.startswith("missing: imagenet_c: 74 parts are not there, such as gaussian_noise/1")


def test_sums_by_benchmark(planned: Planned) -> None:
    planned("-m", "model=toy,resnet50", PIPELINE, "benchmark=imagenet,imagenet_a", "--by=benchmark")
    lines = [line.split() for line in planned.out.splitlines()[:4]]
    assert [line[:3] for line in lines] == [
        ["benchmark", "runs", "pictures"],
        ["imagenet", "2", "120"],
        ["imagenet_a", "2", "–"],
        ["all", "4", "120+"],
    ]


def test_two_names_of_one_run_are_done_once(planned: Planned) -> None:
    runs = planned("-m", "model=toy", PIPELINE, "preprocessing.name=one,two")
    assert [run["to_do"] for run in runs] == [60, 0]
    shards = ("benchmark.chunk_size=10", "limit=25", "shard.count=2", "shard.index=0,1")
    assert [run["to_do"] for run in planned("-m", "model=toy", PIPELINE, *shards)] == [15, 10]


def test_an_attack_counts_all_its_passes(planned: Planned) -> None:
    clean, attacked = planned("-m", "model=toy", PIPELINE, "attack=none,pgd_linf", "limit=10")
    # Ten steps forward and backward, a backward pass counts as two; the clean and the scored
    # prediction, and the attack's look at its last iterate.
    assert attacked["gmacs"] / clean["gmacs"] == pytest.approx(10 * 3 + 3)
    assert attacked["disk_bytes"] == 10 * ATTACKED_ROW_BYTES
    assert attacked["memory_bytes"] > PROCESS_BYTES
    assert "withstood" in planned.out


def test_a_transfer_attack_is_made_once_on_its_source(planned: Planned) -> None:
    transfer = ("attack=transfer", "attack.attack.iterations=5", "limit=10", PIPELINE)
    sweep = ("-m", "model=toy", "model.weights.identity=a,b", "model@attack.source=toy")
    first, second = planned(*sweep, *transfer)
    assert planned.code == 0, planned.err
    # The clean and the scored prediction of each, and the source's five steps of three passes.
    assert second["gmacs"] == pytest.approx(10 * 2 * 48_000 / 1e9)
    assert first["gmacs"] >= second["gmacs"] + 10 * 5 * 3 * 48_000 / 1e9
    assert first["memory_bytes"] > second["memory_bytes"]
    # Other random numbers make other pictures.
    first, second = planned("-m", "model=toy", "seed=0,1", sweep[-1], *transfer)
    assert first["gmacs"] == second["gmacs"]


def test_a_source_without_weights_is_named(planned: Planned) -> None:
    planned("model=toy", "attack=transfer", "model@attack.source=resnet50", PIPELINE)
    assert planned.code == 1
    (missing,) = planned.err.splitlines()
    assert missing.startswith(
        "missing: model resnet50: weights are not on disk; oodbench would download"
    )


def test_times_come_from_a_calibration(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast_times, "NETWORK_SECONDS", 0.1)
    monkeypatch.setattr(forecast_times, "READING_SECONDS", 0.1)
    runs = planned(
        *("-m", "model=toy", PIPELINE, "engine=eager", "attack=none,fgsm", "limit=30,60"),
        calibration=True,
    )
    assert planned.code == 0, planned.err
    seconds = [run["seconds"] for run in runs]
    assert all(value > 0 for value in seconds)
    # Of the 60 pictures of the larger runs the smaller ones have done 30.
    assert [run["to_do"] for run in runs] == [30, 30, 30, 30]
    assert {speed["engine"] for speed in planned.content["speeds"]} == {
        "eager",
        "eager with gradients",
    }
    assert all(speed["macs"] > 0 for speed in planned.content["speeds"])
    assert "≤ " in planned.out
    assert "GMACs a second by eager" in planned.out


@pytest.mark.parametrize("resizing", ["workers", "device"])
def test_what_is_timed_is_done_where_the_run_does_it(
    resizing: str, planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast_times, "NETWORK_SECONDS", 0.1)
    handed: list[object] = []
    copied: list[Any] = []

    def reading(*given: Any, **_: Any) -> float:
        handed.append(given[2](given[1].picture))
        return 1.0

    def copying(pixels: Any, device: str) -> float:
        copied.append(pixels)
        return 0.0

    monkeypatch.setattr(forecast_times, "seconds_an_item", reading)
    monkeypatch.setattr(forecast_times, "seconds_a_copy", copying)
    planned("model=toy", PIPELINE, "engine=eager", f"data.resizing={resizing}", calibration=True)
    assert planned.code == 0, planned.err
    kinds = (Unresized, Packed) if resizing == "device" else (np.ndarray, np.ndarray)
    assert (type(handed[0]), type(copied[0])) == kinds
    assert copied[0].shape == (8, 32, 32, 3)


def test_shards_that_a_run_would_refuse_are_a_problem(planned: Planned) -> None:
    runs = planned(
        *("-m", "model=toy", PIPELINE, "model.weights.identity=null"),
        *("shard.count=2", "shard.index=0,1"),
    )
    assert planned.code == 1
    for run in runs:
        (problem,) = run["problems"]
        assert problem.startswith("shard.count=2: the weights of model toy are unknown")
    (run,) = planned("model=resnet50", PIPELINE, "shard.count=2")
    assert [problem.split(":")[0] for problem in run["problems"]] == ["model resnet50"]


def test_all_that_is_missing_is_named_once(planned: Planned) -> None:
    runs = planned(
        *("-m", "model=resnet50,moco_v2,toy", "benchmark=imagenet_a,imagenet_sketch,imagenet"),
        PIPELINE,
    )
    assert planned.code == 1
    assert len(runs) == 9
    # The toy has its weights, imagenet its pictures.
    known = [run for run in runs if run["to_do"] is not None]
    assert {run["benchmark"] for run in known} == {"imagenet"}
    assert [run["to_do"] for run in known] == [60, 60, 60]
    assert [bool(run["problems"]) for run in known] == [True, True, False]
    missing = planned.err.splitlines()
    assert len(missing) == len(set(missing)) == 5
    for said in (
        "missing: model resnet50: weights are not on disk; oodbench would download resnet50.tv_in1k"
        ".safetensors (https://huggingface.co/timm/resnet50.tv_in1k, model.safetensors) or "
        "resnet50-0676ba61.pth",
        "missing: model moco_v2: weights are not on disk",
        "missing: model moco_v2: no file of the linear classifier",
        "missing: data/imagenet-a: no such folder",
        "missing: data/imagenet-sketch: no such folder",
    ):
        assert sum(line.startswith(said) for line in missing) == 1, said
    assert planned.content["problems"] == [line.removeprefix("missing: ") for line in missing]


@pytest.mark.slow
def test_the_published_table_with_nothing_on_disk(planned: Planned) -> None:
    runs = planned("experiment=published_table", "data.root=nowhere", "weights.dir=none")
    assert planned.code == 1
    assert len(runs) == 26 * 7
    missing = planned.err.splitlines()
    for model in published_models():
        assert sum(line.startswith(f"missing: model {model}: weights") for line in missing) == 1
    for folder in (
        *("imagenet/val", "imagenet-a", "imagenet-c", "imagenet-p"),
        *("cue-conflict", "imagenet-sketch"),
    ):
        assert sum(line.startswith(f"missing: nowhere/{folder}: ") for line in missing) == 1
    # And the linear classifier of MoCo, which nobody can download.
    assert len(missing) == 26 + 6 + 1
    assert "182 runs (182 of them unknown)" in planned.out
    assert max(map(len, planned.out.splitlines())) <= 120


def test_weights_that_may_not_be_downloaded_say_so(planned: Planned) -> None:
    planned("model=resnet50", PIPELINE, "weights.download=false")
    assert planned.code == 1
    assert "weights.download is off" in planned.err


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("budget=0%", "budget=0%: give a part"),
        ("engine.device=cuda", "engine.device=cuda: PyTorch finds no CUDA device"),
        ("model.network._target_=toy_network.Toi", "toy_network.Toi"),
        ("model.weights.file=none.pth", "model.weights.file=none.pth: no such file"),
        ("data.allow_partial=false", "60 files, imagenet has 50000"),
    ],
)
def test_a_wrong_config_is_named(planned: Planned, override: str, said: str) -> None:
    planned("model=toy", PIPELINE, override)
    assert planned.code == 1
    assert said in planned.err
    assert len(planned.err.splitlines()) == 1


def test_a_picture_that_cannot_be_read(toy: Path, planned: Planned) -> None:
    first = toy / "data" / "imagenet" / "val" / WNIDS[0] / f"{WNIDS[0]}_000.JPEG"
    first.write_bytes(b"no picture")
    planned("model=toy", PIPELINE)
    assert planned.code == 1
    assert first.name in planned.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-m", "model=glob(nothing*)"], 2, "matched no config"),
        (["model=toi"], 1, "error: model=toi: available: "),
        (["model=resnet50,moco_v2"], 1, "several values make a sweep: add -m"),
    ],
)
def test_what_cannot_be_planned_at_all(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert forecast_cli.main(arguments) == code
    assert said in capsys.readouterr().err
