"""Shipped models by name, each with the config that `oodbench model=NAME` composes."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from oodbench.core.errors import ConfigError
from oodbench.core.schema import ModelConfig, RunConfig, shipped, validate
from oodbench.core.shipped import shipped_content
from oodbench.reference import published_models
from oodbench.sweeps.jobs import Launch


@cache
def generic_models() -> tuple[str, ...]:
    """Shipped entries that need a key of their own to become a model, see `ModelConfig.generic`."""
    return tuple(
        name for name in shipped("model") if "generic" in (shipped_content("model", name) or {})
    )


def model_names() -> list[str]:
    """Shipped models: the published ones in the order of their table, then the others."""
    others = [
        name for name in shipped("model") if name not in (*published_models(), *generic_models())
    ]
    return [*published_models(), *others]


def load_runs(
    names: Sequence[str], overrides: Sequence[str] = (), config_dir: Path | None = None
) -> list[RunConfig]:
    """The config of a run of each model, as `oodbench model=NAME …` composes it.

    Args:
        names: of configs in the group `model`.
        overrides: as on the command line of `oodbench`.
        config_dir: folder of further configs, as `--config-dir`.

    Raises:
        ConfigError: no such model, or a wrong override.
    """
    launch = Launch((), config_dir=config_dir)
    return [_load(launch, name, overrides) for name in names]


def load_model(
    name: str, overrides: Sequence[str] = (), config_dir: Path | None = None
) -> ModelConfig:
    """The `model` node of a run, see `load_runs`."""
    return load_runs([name], overrides, config_dir)[0].model


def _load(launch: Launch, name: str, overrides: Sequence[str]) -> RunConfig:
    try:
        config = launch.config([f"model={name}", *overrides])
    except ConfigError as error:
        if not str(error).startswith(f"model={name}: "):
            raise
        known = ", ".join([*model_names(), *generic_models()])
        raise ConfigError(f"no model {name}; available: {known}") from None
    return validate(config)
