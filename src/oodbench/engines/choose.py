"""From the config to a forward pass that may be used."""

import inspect
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.utils import get_object
from numpy.typing import NDArray
from torch import nn

from oodbench.core.building import build
from oodbench.core.errors import ConfigError
from oodbench.core.ids import frozen, located
from oodbench.core.schema import EngineConfig
from oodbench.engines.base import Engine, Forward
from oodbench.engines.extent import Extent
from oodbench.engines.parity import gate
from oodbench.engines.settings import engine_target


def prepared(
    config: EngineConfig,
    classifier: nn.Module,
    example: NDArray[np.uint8],
    *,
    cache_dir: Path,
    model_identity: str | None,
    attack: bool = False,
    extent: Extent | None = None,
) -> Forward:
    """A forward pass of the engine that the config names, compared with the eager one.

    Args:
        config: the `engine` node.
        classifier: on the device, in eval mode.
        example: the first pictures of the run, uint8 `(n, H, W, 3)`, a few.
        cache_dir: folder of exported models.
        model_identity: everything that the classifier is made of, its weights among it; None where
            that is unknown: then no exported model is kept.
        attack: whether the pictures are attacked, see `engine.when_attacked`.
        extent: of the run; None: nothing is known of it.

    Raises:
        ConfigError: the engine is not installed, cannot run this network, gives other logits, or
            has no such precision, as an attack has neither bf16 nor fp16.
    """
    if attack and config.precision in ("bf16", "fp16"):
        raise ConfigError(
            f"engine.precision={config.precision}: attacks are computed in float32: set "
            "engine.precision=fp32"
        )
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    engine = _engine(
        located({**frozen(config.backend), "_target_": engine_target(config, attack=attack)}),
        precision=config.precision,
        tolerance=config.tolerance,
        cache_dir=str(cache_dir),
        model_identity=model_identity,
        **asdict(extent or Extent()),
    )
    try:
        forward = engine.prepare(classifier, example)
    except OSError as error:
        raise ConfigError(
            f"engine={config.name}: no place for the exported model: {error}: make room, or use "
            "engine=eager"
        ) from error
    if getattr(engine, "needs_gate", True):
        gate(
            forward,
            classifier,
            example,
            tolerance=config.tolerance,
            precision=config.precision,
        )
    return forward


def computes_gradients(config: EngineConfig) -> bool:
    """Whether the engine that computes under attack has gradients; yes where it does not say."""
    return bool(getattr(_class_of(engine_target(config, attack=True)), "computes_gradients", True))


def prepares_slowly(config: EngineConfig) -> bool:
    """Whether the engine takes more than some seconds even for a small network."""
    return bool(getattr(_class_of(engine_target(config, attack=False)), "prepares_slowly", False))


def _engine(node: dict[str, Any], *, precision: str, **offered: Any) -> Engine:
    """Build an engine, with those of the offered arguments that its constructor names.

    Raises:
        ConfigError: it has no precisions, and another than fp32 is asked for.
    """
    names = _parameters(node["_target_"])
    offered["precision"] = precision
    given = {name: value for name, value in offered.items() if name in names and name not in node}
    engine: Engine = build({**node, **given}, "engine.backend")
    if "precision" not in names and precision != "fp32":
        raise ConfigError(
            f"engine.precision={precision}: {node['_target_']} computes in fp32 only: use "
            "engine=eager"
        )
    return engine


def _parameters(target: Any) -> set[str]:
    try:
        return set(inspect.signature(_class_of(target)).parameters)
    except (TypeError, ValueError):  # building it says what is wrong with it
        return set()


def _class_of(target: Any) -> Any:
    """None where it cannot be imported: building it says why."""
    try:
        return get_object(target)
    except Exception:  # whatever its module raises
        return None
