"""oodbench from Python: what the command computes, by the same path, and nothing left behind."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import hydra
import pandas as pd
import pytest
import torch
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from in_process import go_there
from torch import nn
from toys import Cli, write_pictures

import oodbench
from oodbench.core.errors import ConfigError, DataError, OodbenchError
from oodbench.models.classifier import Classifier

USUAL = ("preprocessing=timm", "engine=eager", "engine.batch_size=4", "engine.threads=1")


@pytest.fixture
def folder(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy folder, in which the tests are."""
    return go_there(toy, monkeypatch)


def evaluated(model: Any, **arguments: Any) -> Any:
    """On the toy pictures, as the command with `USUAL`."""
    known = {"data_root": "data", "allow_partial": True, "preprocessing": "timm"}
    overrides = [*USUAL[1:], *arguments.pop("overrides", ())]
    if isinstance(model, str):
        known["config_dir"] = "my_conf"
    else:
        known["input_size"] = 32
    return oodbench.evaluate(model, **{**known, **arguments}, overrides=overrides)


def toy_network(seed: int = 0) -> Any:
    return import_module("toy_network").Toy(seed=seed)


def contents(directory: Path) -> dict[str, bytes]:
    """Bytes of everything that must not differ from run to run."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in ("run.json", ".run.json.lock")
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "arguments"),
    [
        (("model=toy",), {"model": "toy"}),
        (
            ("model=toy", "attack=square", "attack.queries=3", "limit=3"),
            {"model": "toy", "attack": "square", "limit": 3, "overrides": ["attack.queries=3"]},
        ),
        (
            ("model=efficientnet_lite0", "+model.weights.random_seed=0", "limit=2"),
            {
                "model": "efficientnet_lite0",
                "limit": 2,
                "overrides": ["+model.weights.random_seed=0"],
            },
        ),
    ],
    ids=["toy", "attacked", "shipped"],
)
def test_bytes_are_those_of_the_command(
    folder: Path, cli: Cli, overrides: tuple[str, ...], arguments: dict[str, Any]
) -> None:
    assert cli(*USUAL, *overrides, "output_root=commanded").returncode == 0
    result = evaluated(**arguments, output_root="called")
    (commanded,) = Path("commanded/runs/imagenet").glob("*/*")
    assert commanded.name == result.key
    assert contents(commanded) == contents(result.directory)
    assert {"result.json", "key.json", "records/all-00000.parquet"} <= set(contents(commanded))


def test_the_command_finds_what_python_has_computed(folder: Path, cli: Cli) -> None:
    result = evaluated("toy")
    assert result.directory == Path("outputs/runs/imagenet/toy", result.key)
    assert "done already" in cli(*USUAL, "model=toy").stderr


def test_scores_are_those_of_the_records(folder: Path) -> None:
    result = evaluated("toy")
    records = result.records()
    stored = pd.read_parquet(result.directory / "records")
    assert records.drop(columns="top5").equals(stored.drop(columns="top5"))
    share = float((records["prediction"] == records["label"]).mean())
    assert result.scores.loc["top1", "value"] == share
    assert result.scores.loc["top1", "n"] == len(records) == 60
    assert result.scores.loc["top1", "status"] == "partial"
    assert result.split_scores.empty


def test_scores_of_splits(folder: Path) -> None:
    for severity in "12":
        write_pictures(folder / "data" / "imagenet-c" / "fog" / severity, per_class=1)
    result = evaluated("toy", benchmark="imagenet_c")
    records = result.records()
    right = (records["prediction"] == records["label"]).groupby(records["split"]).mean()
    found = result.split_scores["value"].unstack("metric")
    assert right.index.tolist() == ["fog/1", "fog/2"]
    assert (found.loc[right.index, "top1"] == right).all()


def test_a_network_is_evaluated_as_the_config_that_builds_it(folder: Path) -> None:
    configured = evaluated("toy", output_root="configured")
    given = evaluated(toy_network())
    assert given.scores["value"].equals(configured.scores["value"])
    columns = ["image", "label", "prediction", "confidence"]
    assert given.records()[columns].equals(configured.records()[columns])
    assert given.key != configured.key
    assert given.result.model == "Toy"


def test_a_network_stays_as_it_is(folder: Path) -> None:
    network = toy_network().train()
    network.head.bias.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    evaluated(network, attack="fgsm", limit=2)
    assert network.training
    assert network.head.training
    assert network.head.weight.requires_grad
    assert not network.head.bias.requires_grad
    assert network.head.weight.grad is None
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_same_weights_are_reused_and_others_never(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    forward = Classifier.forward

    def counted(self: Classifier, images: torch.Tensor) -> torch.Tensor:
        passes.append(len(images))
        return forward(self, images)

    monkeypatch.setattr(Classifier, "forward", counted)
    network = toy_network()
    first = evaluated(network, name="mine")
    computed = len(passes)
    assert evaluated(toy_network(), name="mine").key == first.key
    assert len(passes) == computed
    with torch.no_grad():
        network.head.bias[0] += 1000  # now class 0, a tench, is all that it says
    second = evaluated(network, name="mine")
    assert second.key != first.key
    assert (second.records()["prediction"] == 0).all()
    assert evaluated(toy_network(), name="mine").scores.equals(first.scores)


def test_a_network_that_was_trained_further_does_not_change_what_was_kept(folder: Path) -> None:
    network = toy_network()
    first = evaluated(network, limit=20)
    with torch.no_grad():
        network.head.bias[0] += 1000
    more = evaluated(toy_network())  # the weights of the first, by another object
    assert more.key == first.key
    assert not (more.records()["prediction"] == 0).all()


def test_a_changed_source_is_another_key(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_there(toy, monkeypatch)
    module = toy / "own_network.py"
    code = (toy / "toy_network.py").read_text()
    module.write_text(code)
    first = evaluated(import_module("own_network").Toy())
    module.write_text(code.replace("self.pool(x)", "self.pool(-x)"))
    with pytest.raises(ConfigError, match="own_network: its code, .* has changed"):
        evaluated(import_module("own_network").Toy())
    del sys.modules["own_network"]
    second = evaluated(import_module("own_network").Toy())
    assert second.key != first.key


class _Local(nn.Module):
    """What it multiplies with is in no weight."""

    def __init__(self, factor: Any) -> None:
        super().__init__()
        self.network = toy_network()
        self.factor = factor

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.network(images) * float(self.factor)
        return found


def test_values_that_are_no_weights_count(folder: Path) -> None:
    one, other = (evaluated(_Local(factor), limit=2, identity="local") for factor in (1.0, -1.0))
    assert one.key != other.key
    assert not one.records()["prediction"].equals(other.records()["prediction"])


class _Hidden:
    """A value that no hash can tell."""

    __slots__ = ("_value",)

    def __init__(self, value: float) -> None:
        self._value = value

    def __float__(self) -> float:
        return self._value


def test_what_cannot_be_told_is_never_reused_unless_it_has_a_name(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = evaluated(_Local(_Hidden(1.0)), limit=2)
    assert "no hash can tell what factor holds" in caplog.text
    predictions = one.records()["prediction"]
    other = evaluated(_Local(_Hidden(-1.0)), limit=2)
    assert not other.records()["prediction"].equals(predictions)
    named = [
        evaluated(_Local(_Hidden(1.0)), limit=2, identity=name).key for name in ("a", "a", "b")
    ]
    assert named[0] == named[1] != named[2]


def test_a_function_is_evaluated_and_reused_by_its_name_alone(folder: Path) -> None:
    network = toy_network().eval()
    configured = evaluated("toy", limit=5)
    for function in (
        lambda images: network(images),
        lambda images: network(images).detach().numpy(),
    ):
        found = evaluated(function, limit=5, name="function")
        assert found.scores["value"].equals(configured.scores["value"])
        assert "identity of the weights unknown" in found.result.notes
    named = evaluated(network.forward, limit=5, identity="v1")
    assert named.result.model == "forward"
    assert named.result.weights == "v1"
    assert evaluated(network.forward, limit=5, identity="v2").key != named.key


def test_a_network_of_timm_brings_its_normalisation(folder: Path) -> None:
    import timm

    network = timm.create_model("test_vit.r160_in1k", pretrained=False)
    carried = network.pretrained_cfg
    assert carried["mean"] != [0.485, 0.456, 0.406]
    result = oodbench.evaluate(
        network, data_root="data", allow_partial=True, preprocessing="timm", limit=2
    )
    assert result.result.config["model"]["mean"] == list(carried["mean"])
    assert result.result.config["preprocessing"]["crop"] == carried["input_size"][-1]


def test_a_name_of_timm(folder: Path) -> None:
    result = oodbench.evaluate(
        "test_vit.r160_in1k",
        data_root="data",
        allow_partial=True,
        limit=2,
        overrides=["+model.weights.random_seed=0"],
    )
    assert result.result.model == "test_vit.r160_in1k"
    assert result.result.config["model"]["network"]["architecture"] == "test_vit.r160_in1k"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: evaluated("tooy"),
            "no config of that name .did you mean toy.*timm has no model tooy",
        ),
        (lambda: evaluated(3), "a int: give the name"),
        (lambda: evaluated("toy", identity="x"), "identity=x: is for networks and functions"),
        (lambda: evaluated("toy", benchmark="imagenet_q"), "benchmark=imagenet_q: did you mean"),
        (lambda: evaluated("toy", data_root="nowhere"), "nowhere/imagenet/val: no such folder"),
        (lambda: evaluated("toy", overrides=["shard.count=2"]), "shard.count=2"),
        (lambda: evaluated("toy", overrides=["limit=1,2"]), "limit"),
        (lambda: evaluated("toy", overrides=["hydra.mode=MULTIRUN"]), "several runs"),
        (lambda: evaluated("toy", mean=[127.0, 1, 1]), "pixels are in .0, 1. here"),
        (lambda: evaluated(nn.Linear(2, 2)), "its network fails on pictures"),
        (lambda: oodbench.read_results("nowhere"), "no finished run"),
        (lambda: oodbench.read_result("nowhere"), "no finished run"),
        (lambda: oodbench.compare("a", "b", output_root="nowhere"), "no finished run"),
    ],
)
def test_errors_are_exceptions_of_one_line(
    folder: Path, call: Callable[[], object], said: str
) -> None:
    with pytest.raises(OodbenchError, match=said) as raised:
        call()
    assert len(str(raised.value).splitlines()) == 1


def test_a_failure_is_kept_for_the_tables(folder: Path) -> None:
    with pytest.raises(DataError):
        evaluated("toy", data_root="nowhere")
    evaluated(toy_network(), limit=2)
    found = oodbench.read_results()
    (row,) = found[found["status"] == "failed"].to_dict("records")
    assert (row["model"], row["benchmark"]) == ("toy", "imagenet")


def test_any_text_is_an_argument(folder: Path) -> None:
    odd = Path("o'd \"d\\ [=,] ü")
    odd.mkdir()
    Path("data/imagenet").rename(odd / "imagenet")
    result = evaluated(toy_network(), data_root=odd, output_root=odd / "out", limit=2, name="a b")
    assert result.directory.is_relative_to(odd / "out")
    assert result.result.model == "a b"


def test_hydra_is_left_as_it_was(folder: Path) -> None:
    """Within a program that composes configs of its own, under the names that oodbench uses too."""
    store = ConfigStore.instance()
    mine = {"mine": 1}
    before = store.repo.get("schema.yaml")
    store.store(name="schema", node=mine)
    Path("theirs").mkdir()
    Path("theirs/config.yaml").write_text("defaults: [schema, _self_]\nother: 2\n")
    try:
        with hydra.initialize_config_dir(str(Path("theirs").resolve()), version_base="1.3"):
            state = GlobalHydra.instance().hydra
            evaluated("toy", limit=2)
            assert GlobalHydra.instance().hydra is state
            assert hydra.compose("config") == {"mine": 1, "other": 2}
        assert not GlobalHydra.instance().is_initialized()
    finally:
        store.repo.pop("schema.yaml")
        if before is not None:
            store.repo["schema.yaml"] = before


def test_under_a_running_event_loop(folder: Path) -> None:
    async def cell() -> Any:
        return evaluated("toy", limit=2)

    assert asyncio.run(cell()).scores.loc["top1", "n"] == 2


def test_ctrl_c_is_an_exception_and_the_run_goes_on(folder: Path) -> None:
    whole = evaluated(toy_network(), output_root="whole")

    network = toy_network()
    passes: list[int] = []

    def interrupt(images: torch.Tensor) -> torch.Tensor:
        passes.append(len(images))
        if len(passes) == 12:
            signal.raise_signal(signal.SIGINT)
        found: torch.Tensor = network(images)
        return found

    with pytest.raises(KeyboardInterrupt):
        evaluated(interrupt, identity="interrupted")
    n_before = len(passes)
    resumed = evaluated(interrupt, identity="interrupted")
    assert len(passes) - n_before < 25
    assert resumed.scores.equals(whole.scores)


def test_importing_it_imports_nothing() -> None:
    code = (
        "import oodbench, sys\n"
        "heavy = {'torch', 'hydra', 'pandas', 'numpy', 'oodbench.api'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert {'evaluate', 'compare', 'read_result', 'read_results'} <= set(dir(oodbench))\n"
        "oodbench.evaluate, oodbench.read_results\n"
        "assert 'torch' not in sys.modules\n"
        "try:\n    oodbench.nothing\nexcept AttributeError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "'oodbench' has no attribute 'nothing'" in done.stdout


def test_all_results_are_the_rows_of_the_table(folder: Path) -> None:
    from oodbench.cli.table import main

    evaluated("toy", limit=7)
    evaluated(toy_network(1))
    found = oodbench.read_results()
    assert main(["--quiet"]) == 0
    written = pd.read_csv("outputs/tables/results.csv", keep_default_na=False)
    assert len(found) == len(written)
    for column in ("model", "benchmark", "metric", "key", "status"):
        assert found[column].tolist() == written[column].tolist()
    values = pd.to_numeric(written["value"], errors="coerce")
    assert found["value"].tolist() == pytest.approx(values.tolist(), nan_ok=True)
    one = oodbench.read_result(found["directory"][0])
    assert one.key == found["key"][0]


def test_a_damaged_result_is_a_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    evaluated("toy", limit=2)
    damaged = evaluated(toy_network(1), limit=2).directory / "result.json"
    damaged.write_text("{")
    assert set(oodbench.read_results()["model"]) == {"toy"}
    assert str(damaged) in caplog.text
    with pytest.raises(DataError, match="damaged"):
        oodbench.read_result(damaged.parent)


def test_a_comparison_is_that_of_the_command(folder: Path) -> None:
    from oodbench.reports.comparisons.compare import compare_runs

    first, second = evaluated("toy"), evaluated(toy_network(1))
    (one,) = compare_runs("toy", "Toy", Path("outputs")).comparisons
    expected = asdict(one.found)
    for a, b in (("toy", "Toy"), (first, second), (first.directory, second.directory)):
        (row,) = oodbench.compare(a, b).to_dict("records")
        assert row["difference"] == expected["value"]
        assert (row["low"], row["high"]) == (expected["low"], expected["high"])
        assert row["p_value"] == expected["p_value"]
        assert (row["key_a"], row["key_b"]) == (first.key, second.key)
        own, other = (
            run.records()["prediction"] == run.records()["label"] for run in (first, second)
        )
        assert row["only_a"] == int((own & ~other).sum())
        assert row["accuracy_b"] == float(other.mean())
        assert "partial: 60 of 50000" in row["note"]


def test_html_holds_text_as_text(folder: Path) -> None:
    from dataclasses import replace

    from oodbench.reports.evaluated import Evaluated

    odd = "<script>&\"'"
    result = evaluated("toy", limit=2).result
    page = Evaluated(replace(result, notes=[odd], difference=[f"x={odd}"]))._repr_html_()
    assert "<script>" not in page
    assert page.count("&lt;script&gt;&amp;") == 2
    assert "partial: 2 of 50000" in page
