"""Shipped benchmarks as a run with a certain `data.root` has them, without composing a run."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from oodbench.core.schema import BenchmarkConfig, ColumnConfig, shipped
from oodbench.core.shipped import shipped_benchmark, shipped_column


def shipped_configs(data_root: Path) -> list[BenchmarkConfig]:
    """`shipped_config` of every shipped benchmark, by name."""
    return [shipped_config(name, data_root) for name in shipped("benchmark")]


def shipped_config(name: str, data_root: Path) -> BenchmarkConfig:
    """What a benchmark's YAML says of its data; nothing of its preprocessing.

    Args:
        name: of a shipped benchmark.
        data_root: `data.root` of runs.
    """
    node = shipped_benchmark(name) or {}
    whole: Any = OmegaConf.create({"benchmark": node, "data": {"root": str(data_root)}})
    protocol: Any = OmegaConf.to_container(whole.benchmark.protocol, resolve=True)
    return BenchmarkConfig(
        name=name,
        dataset=node.get("dataset"),
        root=whole.benchmark.root,
        column=shipped_column(name) or ColumnConfig(),
        protocol=protocol,
    )
