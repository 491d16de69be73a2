"""Configs composed as `oodbench` composes them, and splits that are on no disk."""

import copy
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from oodbench.benchmarks.base import Split
from oodbench.core.schema import RunConfig, validate
from oodbench.sweeps.jobs import Launch


def config_of(*overrides: str) -> DictConfig:
    """What Hydra makes of overrides, which sweeps/test_jobs.py holds this against."""
    return _launch().config(overrides)


@cache
def _launch() -> Launch:
    """It reads every YAML file once: the tests compose a thousand configs."""
    return Launch([])


def composed(*overrides: str) -> RunConfig:
    """Of resnet50 unless another model is named; the caller may change it."""
    return copy.deepcopy(_composed(overrides))


@cache
def _composed(overrides: tuple[str, ...]) -> RunConfig:
    return validate(config_of("model=resnet50", *overrides))


def split(fingerprint: str = "aa", name: str = "", **others: Any) -> Split:
    facts: dict[str, Any] = {"root": Path("x"), "n_expected": 3, "n_items": 2, **others}
    return Split(name=name, fingerprint=fingerprint, list_items=list, **facts)
