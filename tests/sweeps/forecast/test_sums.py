"""Sums of a forecast, worked out by hand."""

from dataclasses import replace

import pytest

from oodbench.core.schema import BenchmarkConfig, ModelConfig, RunConfig
from oodbench.sweeps.forecast.needs import Need
from oodbench.sweeps.forecast.parts import Parts
from oodbench.sweeps.forecast.sums import sums_text
from oodbench.sweeps.forecast.times import Speed, Times


def need(model: str, benchmark: str, to_do: int | None, macs: float | None) -> Need:
    run = RunConfig(
        model=ModelConfig(name=model),
        benchmark=BenchmarkConfig(name=benchmark),
        preprocessing={"name": "published"},
        attack={"name": "none"},
    )
    return Need(run, to_do=to_do, items=to_do, done=0, macs=macs)


def rows(text: str) -> list[list[str]]:
    return [line.split("  ") for line in text.partition("\n\n")[0].splitlines()]


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in row if cell.strip()] for row in rows(text)]


NEEDS = [
    need("a", "x", 1_000, 2e12),
    need("a", "y", 500_000, 30e12),
    need("b", "x", 2_000, 1.5e12),
    need("b", "y", None, None),
]


def test_without_times() -> None:
    assert cells(sums_text(NEEDS, None, "benchmark")) == [
        ["benchmark", "runs", "pictures", "10^12 multiply-adds", "hours"],
        ["x", "2", "3,000", "3.5", "–"],
        ["y", "2", "500,000+", "30.0+", "–"],
        ["all", "4", "503,000+", "33.5+", "–"],
    ]


def test_with_times_by_model() -> None:
    parts = [Parts(seconds, 0, 900, at_once=False) for seconds in (900, 2700, 4500)]
    times = Times((Speed("a", "eager", 5e9),), (*parts, None), ())
    text = sums_text(NEEDS, times, "model")
    assert cells(text)[1:] == [
        ["a", "2", "501,000", "32.0", "1.5"],
        ["b", "2", "2,000+", "1.5+", "1.5+"],
        ["all", "4", "503,000+", "33.5+", "3.0+"],
    ]
    assert text.splitlines()[-1] == "a: 5.0 GMACs a second by eager."


def test_attacks_are_an_upper_bound() -> None:
    run = NEEDS[0].run
    assert run is not None
    attacked = replace(run, attack={"name": "pgd", "_target_": "mine"})
    text = sums_text([replace(NEEDS[0], run=attacked)], None, "benchmark")
    assert [row[-1] for row in cells(text)[1:]] == ["≤ –", "≤ –"]


def test_a_wrong_config_counts_as_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    text = sums_text([Need(None, ("wrong",))], None, "model")
    assert cells(text)[1:] == [["–", "1", "–", "–", "–"], ["all", "1", "–", "–", "–"]]
