"""Where the shipped configs are, what Hydra must know to compose them, and models by name."""

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf

from oodbench.core.errors import ConfigError
from oodbench.core.schema import ModelConfig, RunConfig, register_schema, shipped, validate
from oodbench.models.facts import register_resolvers as register_model_facts
from oodbench.reference import published_models

SHIPPED_FOLDER = Path(__file__).resolve().parents[3] / "conf"
"""The configs of a checkout whose package is not installed."""

INSTALLED = importlib.util.find_spec("oodbench.conf") is not None

CONFIG_PATH = "pkg://oodbench.conf" if INSTALLED else str(SHIPPED_FOLDER)


GENERIC = ("checkpoint", "onnx", "timm", "torchvision", "transformers")
"""Entries that need a key of their own to become a model."""


def register_all() -> None:
    """Make the schema and all resolvers of the shipped configs known to Hydra."""
    register_schema()
    register_resolvers()
    register_model_facts()


def register_resolvers() -> None:
    """Make the resolvers known to OmegaConf. May be called again."""
    OmegaConf.register_new_resolver("frac", _fraction, replace=True)
    OmegaConf.register_new_resolver("floor_div", _floor_division, replace=True)


def _fraction(numerator: float, denominator: float) -> float:
    return numerator / denominator


def _floor_division(numerator: float, denominator: float) -> int:
    """timm's scale size: floor(input size / crop_pct)."""
    return math.floor(numerator / denominator)


def model_names() -> list[str]:
    """Shipped models: the published ones in the order of their table, then the others."""
    others = [name for name in shipped("model") if name not in (*published_models(), *GENERIC)]
    return [*published_models(), *others]


def load_run(name: str, overrides: Sequence[str] = (), config_dir: Path | None = None) -> RunConfig:
    """The config of a run of a model, as `oodbench model=NAME …` composes it.

    Args:
        name: of a config in the group `model`.
        overrides: as on the command line of `oodbench`.
        config_dir: folder of further configs, as `--config-dir`.

    Raises:
        ConfigError: no such model, or a wrong override.
    """
    register_all()
    GlobalHydra.instance().clear()
    searched = [] if config_dir is None else [f"hydra.searchpath=[file://{config_dir.resolve()}]"]
    with _initialized():
        try:
            config = compose("config", [f"model={name}", *searched, *overrides])
        except HydraException as error:
            raise ConfigError(_without_traceback(name, error)) from None
        return validate(config)


def load_model(
    name: str, overrides: Sequence[str] = (), config_dir: Path | None = None
) -> ModelConfig:
    """The `model` node of `load_run`."""
    return load_run(name, overrides, config_dir).model


def _initialized() -> initialize_config_dir | initialize_config_module:
    if INSTALLED:
        return initialize_config_module("oodbench.conf", version_base="1.3")
    return initialize_config_dir(str(SHIPPED_FOLDER), version_base="1.3")


def _without_traceback(name: str, error: HydraException) -> str:
    first = str(error).strip().splitlines()[0]
    if "model/" not in first:
        return first
    return f"no model {name}; available: {', '.join([*model_names(), *GENERIC])}"
