"""The forecast as text: units, widths, what is not known."""

import json
from dataclasses import replace

import pytest

from oodbench.core.schema import BenchmarkConfig, ModelConfig, RunConfig
from oodbench.sweeps.forecast.needs import Need
from oodbench.sweeps.forecast.network_cost import NetworkCost
from oodbench.sweeps.forecast.parts import Parts
from oodbench.sweeps.forecast.table import byte_size, duration, forecast_json, forecast_text
from oodbench.sweeps.forecast.times import Speed, Times

COST = NetworkCost(macs=4_089_184_256, parameters=25_557_032, widest=6_422_528, kept=139_000_000)


def need(model: str = "resnet50", preprocessing: str = "published", attack: str = "none") -> Need:
    attacked = {"_target_": "mine"} if attack != "none" else {}
    run = RunConfig(
        model=ModelConfig(name=model),
        benchmark=BenchmarkConfig(name="imagenet"),
        preprocessing={"name": preprocessing},
        attack={"name": attack, **attacked},
    )
    macs = 50_000 * COST.macs
    return Need(run, to_do=50_000, items=50_000, done=0, cost=COST, macs=macs, memory=1_006_000_000)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (600, "10 min"),
        (3_599, "1 h 0 min"),
        (12_000, "3 h 20 min"),
        (4_443_600, "1234 h 20 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1_900_000, "1.9 MB"), (999_600, "1 MB"), (5.24e9, "5.2 GB")],
)
def test_sizes(n_bytes: float, text: str) -> None:
    assert byte_size(n_bytes) == text


def cpu(seconds: float) -> Parts:
    return Parts(seconds, 0, 0, at_once=False)


def test_the_slowest_part_of_runs_on_an_accelerator_is_named() -> None:
    runs = [need("moco_v2"), need(), need()]
    parts = (
        Parts(loading=20, copying=1, network=60, at_once=True),
        Parts(loading=20, copying=1, network=10, at_once=True),
        Parts(loading=30, copying=1, network=10, at_once=True),
    )
    times = Times((Speed("resnet50", "eager", 60e9, 1e-5),), parts, ())
    text = forecast_text(runs, times)
    assert "which the others wait for: loading in 2, network in 1\n" in text
    assert "all together about 2 min" in text  # 60 + 20 + 30
    assert [
        (run["loading_seconds"], run["copying_seconds"], run["network_seconds"], run["bottleneck"])
        for run in forecast_json(runs, times)["runs"][:2]
    ] == [(20, 1, 60, "network"), (20, 1, 10, "loading")]
    assert "wait for" not in forecast_text(runs[:1], Times((), (cpu(3),), ()))


def test_a_row_and_the_sum() -> None:
    times = Times((Speed("resnet50", "openvino", 60e9),), (cpu(12_000), cpu(0)), ())
    done = replace(need("moco_v2"), to_do=0, items=0, done=50_000, macs=0.0)
    lines = forecast_text([need(), done], times).splitlines()
    # 50,000 x 4.089184256; 50,000 x 38 bytes.
    names = ["resnet50", "imagenet", "published", "none"]
    numbers = ["50000", "0", "204459", "3", "h", "20", "min", "1.9", "MB", "1.0", "GB"]
    assert lines[1].split() == [*names, *numbers]
    assert lines[2].split()[4:9] == ["0", "50000", "0", "0", "s"]
    assert lines[4:6] == [
        "2 runs: 50000 pictures to do, 50000 done, 204459 GMACs",
        "all together about 3 h 20 min, 1.9 MB of records; at most 1.0 GB of memory at once",
    ]
    assert lines[-1] == "resnet50: 60.0 GMACs a second by openvino."


def test_a_run_of_which_nothing_is_known_has_dashes() -> None:
    missing = Need(need().run, ("data: no such folder", "no weights"))
    wrong = Need(None, ("no weights", "unknown key"))
    text = forecast_text([missing, wrong], None)
    lines = text.splitlines()
    assert lines[1].split() == ["resnet50", "imagenet", "published", "none", *"––––––"]
    assert set(lines[2].split()) == {"–"}
    assert "2 runs (2 of them unknown)" in text
    content = json.loads(json.dumps(forecast_json([missing, wrong], None)))
    assert content["problems"] == ["data: no such folder", "no weights", "unknown key"]
    assert content["runs"][0]["to_do"] is None


def test_the_longest_names_fit_120_columns() -> None:
    long = [
        need("resnext101_32x48d_wsl", "resize256_crop224_bicubic", "pgd_targeted"),
        need("tf_efficientnet_l2_ns_475", "published", "autoattack"),
        need("tf_efficientnet_l2_ns", "published", "none"),
    ]
    long = [replace(one, to_do=3_750_000, macs=1.8e18) for one in long]
    text = forecast_text(long, Times((), (cpu(4e7), cpu(4e7), cpu(4e7)), ()))
    assert max(map(len, text.splitlines())) <= 120
    names = [line.split("  ")[0] for line in text.splitlines()[1:4]]
    assert len(set(names)) == 3
    assert "1.80e9" in text
    assert "≤ 11111 h 7 min" in text
