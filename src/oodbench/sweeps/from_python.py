"""A model that Python gives, as overrides of the command line and a network that goes with them."""

import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.utils import JobRuntime

from oodbench.core.checking import alternatives
from oodbench.core.errors import ConfigError
from oodbench.core.ids import TARGET
from oodbench.core.own_code.identity import identities
from oodbench.core.schema import RunConfig, shipped, validate
from oodbench.models.facts import timm_fact
from oodbench.sweeps.jobs import Launch

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger("oodbench")

GIVEN = "oodbench.models.given.given_network"
_NETWORK = "++model.network"
_SCHEMA = "schema.yaml"
"""Name under which the store of configs holds our schema."""

_CARRIED = ("mean", "std", "crop_pct", "interpolation")
"""How a network says that it is to be evaluated, where it says it as those of timm do."""


@dataclass(frozen=True)
class GivenModel:
    """A model as the config and the evaluation see it.

    Attributes:
        overrides: of the command line.
        network: that the overrides cannot say; None where they say all.
    """

    overrides: Sequence[str]
    network: "nn.Module | None" = None

    def lent(self) -> AbstractContextManager[None]:
        """Where the run is evaluated."""
        if self.network is None:
            return nullcontext()
        from oodbench.models.given import lent

        return lent(self.network)


def given_model(
    model: object, *, identity: str | None = None, config_dir: Path | None = None
) -> GivenModel:
    """A name of a config or of timm, a network, or a function of images.

    A network is known by its weights, by all else that it holds, and by the sources of its classes;
    a function, of which none of this can be seen, by the name that the user gives.

    Args:
        model: `str`, `torch.nn.Module` or callable.
        identity: name that the user vouches for, in the place of sources, and of what cannot be
            told otherwise.
        config_dir: folder of further configs.

    Raises:
        ConfigError: it is neither, or there is no model of that name.
    """
    if isinstance(model, str):
        if identity is not None:
            raise ConfigError(
                f"identity={identity}: is for networks and functions; of model={model} set "
                "overrides=['model.weights.identity=NAME']"
            )
        return GivenModel(_of_name(model, config_dir))
    if _is_network(model):
        return _of_network(model, identity)
    if callable(model):
        return _of_function(model, identity)
    raise ConfigError(
        f"model: a {type(model).__name__}: give the name of a config or of a timm model, a "
        "torch.nn.Module, or a function of images"
    )


def override(key: str, value: object) -> str:
    """`key=value` as the command line takes it, whatever a text holds."""
    return f"{key}={_spelled(value)}"


def composed(overrides: Sequence[str], config_dir: Path | None = None) -> RunConfig:
    """The config of the one run that a command line with these overrides makes.

    What Hydra keeps for a whole process stays as it was, so that a program may use it itself.

    Raises:
        ConfigError: a wrong override, several runs, or one shard of a run.
    """
    with _hydra_left_alone():
        launch = Launch(overrides, config_dir=config_dir)
        if launch.multirun:
            raise ConfigError("several runs: evaluate one after the other, or use oodbench -m")
        run = validate(launch.config(launch.jobs[0]))
    if run.shard.count > 1:
        raise ConfigError(f"shard.count={run.shard.count}: shards are for the command oodbench")
    return run


@contextmanager
def _hydra_left_alone() -> Iterator[None]:
    store, runtime = ConfigStore.instance().repo, JobRuntime.instance()
    schema, job = store.get(_SCHEMA), runtime.conf.copy()
    try:
        yield
    finally:
        runtime.conf = job
        store.pop(_SCHEMA, None)
        if schema is not None:
            store[_SCHEMA] = schema


def _spelled(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_spelled, value))}]"
    return QuotedString(str(value), Quote.single).with_quotes()


def _of_name(name: str, config_dir: Path | None) -> list[str]:
    """A config of that name before a model of timm."""
    own = [] if config_dir is None else sorted(config_dir.glob("model/*.yaml"))
    names = [*shipped("model"), *(path.stem for path in own)]
    if name in names:
        return [override("model", name)]
    try:
        timm_fact(name, "full_name")
    except ConfigError as error:
        raise ConfigError(
            f"model={name}: no config of that name ({alternatives(name, names)}), and {error}"
        ) from None
    return ["model=timm", override("model.timm_name", name)]


def _is_network(model: object) -> bool:
    """Without importing torch: who has a network has imported it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _of_network(network: Any, identity: str | None) -> GivenModel:
    from oodbench.models.fingerprint import fingerprint

    network = getattr(network, "_orig_mod", network)  # what torch.compile has wrapped
    name = type(network).__name__
    found = fingerprint(network)
    own = [place for place in found.code if identities({TARGET: place})]
    # What is no module that Python finds has no sources either.
    unseen = [*found.unknown, *(place for place in own if not identities([place]))]
    weights: str | None = f"sha256:{found.sha256}"
    if unseen and identity is None:
        log.warning(
            "model %s: no hash can tell what %s holds, so no result is reused: give identity=NAME",
            *(name, unseen[0]),
        )
        weights = None
    elif unseen:
        weights = f"{identity}+{weights}"
    return GivenModel(
        [
            override("model.name", name),
            override(f"{_NETWORK}.{TARGET}", GIVEN),
            *([override(f"{_NETWORK}.code", own)] if own else []),
            override("model.weights.identity", weights),
            *_own_code(identity),
            *_evaluated_as(network),
            *_on_its_device(network),
        ],
        network,
    )


def _of_function(function: Callable[..., Any], identity: str | None) -> GivenModel:
    from oodbench.models.networks import FunctionNetwork

    name = str(getattr(function, "__name__", type(function).__name__))
    return GivenModel(
        [
            override("model.name", re.sub(r"\W", "", name)),
            override(f"{_NETWORK}.{TARGET}", GIVEN),
            override(f"{_NETWORK}.function", name),
            override("model.weights.identity", identity),
        ],
        FunctionNetwork(function, name),
    )


def _own_code(identity: str | None) -> list[str]:
    return [] if identity is None else [override("code.identity", identity)]


def _evaluated_as(network: Any) -> Iterator[str]:
    """The normalisation and size that a network carries with itself, as timm's do."""
    carried = getattr(network, "pretrained_cfg", None)
    if not isinstance(carried, Mapping):
        return
    size = carried.get("test_input_size") or carried.get("input_size")
    if size and size[-1] == size[-2]:
        yield override("model.input_size", int(size[-1]))
    usual = {**carried, "crop_pct": carried.get("test_crop_pct") or carried.get("crop_pct")}
    for name in _CARRIED:
        if (value := usual.get(name)) is not None:
            yield override(f"model.{name}", value)


def _on_its_device(network: Any) -> list[str]:
    devices = {str(tensor.device) for tensor in [*network.parameters(), *network.buffers()]}
    if len(devices) > 1:
        raise ConfigError(
            f"model {type(network).__name__}: lies on several devices ({', '.join(sorted(devices))}"
            "): move it to one"
        )
    return [override("engine.device", device) for device in devices]
