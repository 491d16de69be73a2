"""What ships under the names of a run: the model, benchmark and preprocessing that they promise."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from oodbench.core.checking import merged
from oodbench.core.schema import (
    BenchmarkConfig,
    ModelConfig,
    RunConfig,
    WeightsDirectoryConfig,
    with_fractions,
)
from oodbench.core.shipped import shipped_benchmark, shipped_content

PUBLISHED = "published"
"""The preprocessing that a run has unless another one is asked for."""

Node = dict[str, Any]


@dataclass(frozen=True)
class Stock:
    """The shipped configs of a run's names, resolved; None for a name that does not ship.

    Attributes:
        preprocessing: of the run's name, for the shipped model and benchmark where there are such.
        published: the same of `PUBLISHED`; None where the benchmark has none for such a model.
    """

    model: ModelConfig | None
    benchmark: BenchmarkConfig | None
    preprocessing: Node | None
    published: Node | None


def stock_of(run: RunConfig) -> Stock:
    """What ships under the names of a run."""
    model = stock_model(run.model, run.weights)
    benchmark = _stock_benchmark(run, model or run.model)
    context = _context(run, model=model or run.model, benchmark=benchmark or run.benchmark)
    name = str(run.preprocessing["name"])
    return Stock(
        model, benchmark, _stock_pipeline(name, context), _stock_pipeline(PUBLISHED, context)
    )


def stock_model(model: ModelConfig, weights: WeightsDirectoryConfig) -> ModelConfig | None:
    """The shipped model of a model's name, else the generic entry that the model was made from.

    Of a generic entry what it requires, such as `timm_name`, is the model's own: its identity.

    Args:
        model: a resolved `model` node, or the source of a transfer attack.
        weights: of the run.

    Raises:
        ConfigError: the generic entry cannot be resolved for the model.
    """
    content = shipped_content("model", model.name)
    if content is None and model.generic is not None:
        content = shipped_content("model", model.generic)
    if content is None:
        return None
    given = {name: getattr(model, name) for name, value in content.items() if value == "???"}
    file = weights.file or model.weights.file
    node = OmegaConf.create(
        {"model": {**content, **given}, "weights": {**asdict(weights), "file": file}}
    )
    return merged(node.model, ModelConfig)


def stock_attack(name: str) -> Node | None:
    """The shipped attack of a name, resolved; None where there is none."""
    content = shipped_content("attack", name)
    if content is None:
        return None
    content.pop("defaults", None)
    resolved = OmegaConf.to_container(OmegaConf.create({"attack": content}).attack, resolve=True)
    assert isinstance(resolved, dict)
    found: Node = with_fractions({str(key): value for key, value in resolved.items()})
    return found


def _stock_benchmark(run: RunConfig, model: ModelConfig) -> BenchmarkConfig | None:
    content = shipped_benchmark(run.benchmark.name)
    if content is None:
        return None
    benchmark = {name: value for name, value in content.items() if name != "defaults"}
    return merged(_context(run, model=model, benchmark=benchmark).benchmark, BenchmarkConfig)


def _stock_pipeline(name: str, context: DictConfig) -> Node | None:
    content = shipped_content("preprocessing", name)
    if content is None:
        return None
    whole = OmegaConf.merge(context, {"preprocessing": content})
    try:
        resolved = OmegaConf.to_container(whole.preprocessing, resolve=True)
    except OmegaConfBaseException:
        return None
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}


def _context(
    run: RunConfig, *, model: ModelConfig, benchmark: BenchmarkConfig | Mapping[str, Any]
) -> DictConfig:
    """What the shipped configs may refer to."""
    node = benchmark if isinstance(benchmark, Mapping) else asdict(benchmark)
    return OmegaConf.create(
        {"model": asdict(model), "benchmark": dict(node), "data": asdict(run.data)}
    )
