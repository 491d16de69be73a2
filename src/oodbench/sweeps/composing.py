"""Where the shipped configs are, what Hydra must know to compose them."""

import importlib.util
import math
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from oodbench.core.errors import ConfigError
from oodbench.core.schema import DEFAULT_FAMILY, register_schema
from oodbench.models.facts import register_model_facts

SHIPPED_FOLDER = Path(__file__).resolve().parents[3] / "conf"
"""The configs of a checkout whose package is not installed."""

INSTALLED = importlib.util.find_spec("oodbench.conf") is not None

CONFIG_PATH = "pkg://oodbench.conf" if INSTALLED else str(SHIPPED_FOLDER)


def register_all() -> None:
    """Make the schema and all resolvers of the shipped configs known to Hydra."""
    register_schema()
    _register_resolvers()
    register_model_facts()


def _register_resolvers() -> None:
    """Make the resolvers known to OmegaConf. May be called again."""
    OmegaConf.register_new_resolver("frac", _fraction, replace=True)
    OmegaConf.register_new_resolver("floor_div", _floor_division, replace=True)
    OmegaConf.register_new_resolver("native_resize", _native_resize, replace=True)
    OmegaConf.register_new_resolver("published_step", _published_step, replace=True)


def _published_step(pipelines: DictConfig, family: str, step: str) -> Any:
    """A step of a benchmark's published preprocessing, see `BenchmarkConfig.published`."""
    pipeline = pipelines.get(family, pipelines.get(DEFAULT_FAMILY))
    if pipeline is None:
        raise ConfigError(
            "the benchmark has no published_preprocessing.default: add it to its config, or give "
            "another preprocessing, such as preprocessing=timm"
        )
    return pipeline[step]


def _fraction(numerator: float, denominator: float) -> float:
    return numerator / denominator


def _floor_division(numerator: float, denominator: float) -> int:
    """timm's scale size: floor(input size / crop_pct)."""
    return math.floor(numerator / denominator)


def _native_resize(input_size: float, crop_pct: float, mode: str) -> Any:
    """What a model's authors resize pictures to: the short side, or both sides."""
    side = _floor_division(input_size, crop_pct)
    if mode == "shortest":
        return side
    if mode == "squash":
        return [side, side]
    raise ConfigError(
        f"preprocessing=timm: model.resize_mode={mode} is not supported, which shortest and squash "
        "are: choose another preprocessing"
    )
