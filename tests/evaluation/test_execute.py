"""Carrying out a plan: what is looked at once, and what is left alone."""

import hashlib
import json
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from in_process import go_there, planned
from PIL import Image
from toys import TOY_MODEL, WNIDS

from oodbench.core.errors import failure_line, is_mendable
from oodbench.evaluation import assemble
from oodbench.evaluation.execute import execute
from oodbench.models import shards as shards_module
from oodbench.models import weights as weights_module
from oodbench.runs import records
from oodbench.runs.records import read_split
from oodbench.runs.scoring import rescore
from oodbench.runs.summaries.store import summaries


@pytest.fixture
def here(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(assemble, "_last", {})
    return go_there(toy, monkeypatch)


def stored_network(path: Path, seed: int) -> str:
    """Weights of the toy network in a file; their sha256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(import_module("toy_network").Toy(seed=seed).state_dict(), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each model's weights were located and each file was hashed."""
    counted: Counter[str] = Counter()
    locate, hashed = weights_module.locate, shards_module.remembered_digest

    def locating(name: str, *others: Any, **named: Any) -> Any:
        counted[name] += 1
        return locate(name, *others, **named)

    def hashing(path: Path, algorithm: str) -> str:
        counted[path.name] += 1
        return hashed(path, algorithm)

    monkeypatch.setattr(weights_module, "locate", locating)
    monkeypatch.setattr(shards_module, "remembered_digest", hashing)
    return counted


def test_weights_are_located_and_hashed_once_a_run(here: Path, looked_at: Counter[str]) -> None:
    sha256 = stored_network(here / "one.pth", 1)
    plan = planned("model.weights.file=one.pth", f"model.weights.hash=sha256:{sha256}", "limit=1")
    assert plan.weights.identity == f"sha256:{sha256}"
    assert execute(plan) is not None
    assert looked_at == {"toy": 1, "one.pth": 1}


def test_so_are_those_of_the_source_of_a_transfer_attack(
    here: Path, looked_at: Counter[str]
) -> None:
    sha256 = {name: stored_network(here / f"{name}.pth", seed) for seed, name in enumerate("ab")}
    second = TOY_MODEL.replace("name: toy", "name: second")
    second = second.replace("identity: toy-v1", "file: b.pth")
    (here / "my_conf" / "model" / "second.yaml").write_text(second)
    attack = ("attack=transfer", "model@attack.source=second", "limit=2")
    plan = planned("benchmark=adversarial", *attack, "model.weights.file=a.pth")
    assert plan.document["model"]["weights"] == f"sha256:{sha256['a']}"
    assert plan.document["attack"]["source"]["weights"] == f"sha256:{sha256['b']}"
    assert execute(plan) is not None
    assert looked_at == {"toy": 1, "a.pth": 1, "second": 1, "b.pth": 1}
    # The pictures were made on the network of b.pth: it predicts of them what was recorded then.
    rows = read_split(plan.paths.records, "")
    again = execute(planned("benchmark=adversarial", *attack, "model.weights.file=b.pth"))
    assert again is not None
    on_source = read_split(again.directory / "records", "")
    assert list(rows["source_prediction"]) == list(on_source["prediction"])


def test_the_weights_that_are_loaded_are_those_of_the_key(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that comes into weights.dir after the hash was taken goes before the one found."""
    monkeypatch.setenv("TORCH_HOME", str(here / "torch"))
    sha256 = stored_network(here / "torch" / "hub" / "checkpoints" / "toy.pth", 1)
    url = ("model.weights.url=file:///nowhere/toy.pth", "weights.dir=weights")
    plan = planned(*url)
    stored_network(here / "weights" / "toy.pth", 2)
    result = execute(plan)
    assert result is not None
    assert result.weights == f"sha256:{sha256}"
    stored_network(here / "one.pth", 1)
    monkeypatch.setattr(assemble, "_last", {})
    expected = execute(planned("model.weights.file=one.pth", "output_root=expected"))
    assert expected is not None
    first, second = (read_split(run.directory / "records", "") for run in (result, expected))
    assert list(first["prediction"]) == list(second["prediction"])


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the rows of each file of records were read."""
    counted: Counter[str] = Counter()
    read = records._read

    def counting(path: Path, columns: Any) -> Any:
        counted[path.name] += 1
        return read(path, columns)

    monkeypatch.setattr(records, "_read", counting)
    return counted


@pytest.mark.parametrize("benchmark", ["imagenet", "adversarial"])
def test_each_chunk_is_read_once_when_a_run_ends_and_once_when_it_is_scored_again(
    here: Path, reads: Counter[str], benchmark: str
) -> None:
    """Pictures that cannot be read are counted in the same pass, in which the summary is made."""
    broken = here / "data" / "imagenet" / "val" / WNIDS[1] / f"{WNIDS[1]}_000.JPEG"
    Image.new("RGB", (90_000, 1)).save(broken, format="PNG")
    attack = ["attack.iterations=2"] if benchmark == "adversarial" else []
    result = execute(
        planned(
            *(f"benchmark={benchmark}", "benchmark.chunk_size=4", "limit=10"),
            *("data.on_error=skip", *attack),
        )
    )
    assert result is not None
    assert (result.n_images, len(result.splits[""]["skipped"])) == (9, 1)
    reason = result.skipped[0]["reason"]
    assert reason.startswith(f"data/imagenet/val/{WNIDS[1]}/{WNIDS[1]}_000.JPEG: 90000x1 pixels")
    assert (result.attack_report is not None) == bool(attack)
    once = dict.fromkeys(("all-00000.parquet", "all-00001.parquet", "all-00002.parquet"), 1)
    assert reads == once
    reads.clear()
    assert summaries([result])[result.directory].n == 9
    assert not reads
    files = (result.paths.result, result.paths.summary)
    before = [file.read_bytes() for file in files]
    rescore(result)
    assert reads == once
    assert [file.read_bytes() for file in files] == before


def test_unknown_weights_begin_anew_and_other_files_stay(here: Path) -> None:
    unknown = ("model.weights.identity=null", "benchmark.chunk_size=10")
    first = execute(planned(*unknown, "limit=20"))
    assert first is not None
    for place in (first.directory, first.directory / "records"):
        (place / "notes.txt").write_text("mine")
    second = execute(planned(*unknown, "limit=10"))
    assert second is not None
    assert second.directory == first.directory
    assert second.n_images == 10
    assert sorted(path.name for path in (first.directory / "records").iterdir()) == [
        "all-00000.parquet",
        "notes.txt",
    ]
    assert (first.directory / "notes.txt").read_text() == "mine"
    (session,) = json.loads((first.directory / "run.json").read_text())["sessions"]
    assert session["items"] == 10


@pytest.mark.parametrize("identity", ["toy-v1", "null"])
def test_a_damaged_account_of_the_run_does_not_end_it(
    here: Path, caplog: pytest.LogCaptureFixture, identity: str
) -> None:
    plan = planned(f"model.weights.identity={identity}", "limit=2")
    plan.paths.info.mkdir(parents=True)
    assert execute(plan) is not None
    assert any("run.json: damaged: begun anew" in message for message in caplog.messages)
    (session,) = json.loads(plan.paths.info.read_text())["sessions"]
    assert session["items"] == 2


def test_a_good_run_takes_back_failures_and_leaves_what_is_not_ours(here: Path) -> None:
    plan = planned("limit=2")
    failed = plan.paths.directory.parent / "unidentified-timm-none"
    failed.mkdir(parents=True)
    for kept in (["error.json"], ["error.json", "notes.txt"]):
        for name in kept:
            failed.mkdir(exist_ok=True)
            (failed / name).write_text("{}")
        assert execute(plan) is not None
        assert failed.exists() == ("notes.txt" in kept)
        assert not (failed / "error.json").exists()
    assert (failed / "notes.txt").read_text() == "{}"


def test_what_lies_in_the_place_of_a_runs_files_is_put_aside_or_named(here: Path) -> None:
    """None of it blocks a run for ever without a word."""
    first = execute(planned("limit=1"))
    assert first is not None
    directory = first.directory
    (directory / "run.json").write_text("{}")
    names = ("key.json", "error.json", "records/all-00000.parquet")
    for limit, name in enumerate(names, start=2):
        (directory / name).unlink(missing_ok=True)
        (directory / name).mkdir()
        with pytest.raises(OSError, match="Is a directory") as raised:
            execute(planned(f"limit={limit}"))
        assert is_mendable(raised.value)
        assert failure_line(raised.value).startswith(f"{directory / name}: ")
        (directory / name).rmdir()
    for name in ("run.json", "other_names.json", "derived.json"):
        (directory / name).unlink(missing_ok=True)
        (directory / name).mkdir()
    last = execute(planned("limit=5"))
    assert last is not None
    assert (last.n_images, last.scores[""]["top1"].n) == (5, 5)
    assert (directory / "run.json.damaged-1").read_text() == "{}"
    assert (directory / "run.json.damaged-2").is_dir()
