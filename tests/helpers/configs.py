"""Configs composed as `oodbench` composes them, and splits that are on no disk."""

from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module

from oodbench.benchmarks.base import Split
from oodbench.core.schema import RunConfig, validate
from oodbench.sweeps.composing import register_all


def composed(*overrides: str) -> RunConfig:
    register_all()
    with initialize_config_module("oodbench.conf", version_base="1.3"):
        return validate(compose("config", overrides=["model=resnet50", *overrides]))


def split(fingerprint: str = "aa", name: str = "", **others: Any) -> Split:
    facts: dict[str, Any] = {"root": Path("x"), "n_expected": 3, "n_items": 2, **others}
    return Split(name=name, fingerprint=fingerprint, list_items=list, **facts)
