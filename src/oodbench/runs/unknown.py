"""Parts of a run without an identity: a run that has one is not told from another, nor reused."""

from dataclasses import dataclass
from typing import Any

from oodbench.core.errors import ConfigError
from oodbench.core.own_code.identity import unknown_code
from oodbench.core.schema import RunConfig
from oodbench.models.weights import Weights


@dataclass(frozen=True)
class Unknown:
    """What has no identity, and the override that gives it one."""

    what: str
    mend: str


def unknown_weights(model: str, weights: Weights) -> Unknown | None:
    """The weights of a model of this name, where nothing names them."""
    if weights.identity is not None:
        return None
    return Unknown(f"weights of model {model}", "model.weights.identity=NAME")


def unknown_sources(document: Any) -> Unknown | None:
    """Code of the user's in a key's document, or a part of one, of which there is no source."""
    modules = unknown_code(document)
    return Unknown(f"sources of {modules[0]}", "code.identity=NAME") if modules else None


def refuse_unknown_shards(run: RunConfig, unknown: Unknown | None) -> None:
    """Such a run begins anew: each shard would remove the chunks of the others.

    Raises:
        ConfigError: it is one of several shards.
    """
    if unknown is not None and run.shard.count > 1:
        raise ConfigError(
            f"shard.count={run.shard.count}: the {unknown.what} are unknown, so "
            f"that no shard may keep what another has computed: set {unknown.mend}"
        )
