"""Model configs by name, composed outside a run: for `oodbench-models` and for tests."""

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException

from oodbench.core.errors import ConfigError
from oodbench.core.schema import ModelConfig, RunConfig, shipped, validate
from oodbench.reports.published.values import published_models
from oodbench.sweeps.composing import INSTALLED, SHIPPED_FOLDER, register_all

GENERIC = ("checkpoint", "onnx", "timm", "torchvision", "transformers")
"""Entries that need a key of their own to become a model."""


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
