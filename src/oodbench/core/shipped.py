"""What the configs that come with oodbench say, read without composing them."""

from functools import cache
from importlib.resources import files
from typing import Any

from omegaconf import OmegaConf

from oodbench.core.schema import ColumnConfig, shipped


def shipped_content(group: str, name: str) -> dict[str, Any] | None:
    """Content of a shipped config, unresolved; None where there is none of that name.

    Args:
        group: its folder; "" for a primary config.
        name: of the file, without `.yaml`.
    """
    file = files("oodbench.conf").joinpath(group, f"{name}.yaml")
    if not file.is_file():
        return None
    content = OmegaConf.to_container(OmegaConf.create(file.read_text("utf-8")))
    if not isinstance(content, dict):
        return None
    return {str(key): value for key, value in content.items()}


@cache
def shipped_benchmark(name: str) -> dict[str, Any] | None:
    """The `benchmark` node of a shipped benchmark, unresolved; None where there is none."""
    content = shipped_content("benchmark", name)
    return None if content is None else content.get("benchmark", content)


@cache
def shipped_column(name: str) -> ColumnConfig | None:
    """How a shipped benchmark appears in the table; None where there is none of that name."""
    node = shipped_benchmark(name)
    if node is None:
        return None
    schema = OmegaConf.structured(ColumnConfig)
    column = OmegaConf.to_object(OmegaConf.merge(schema, node.get("column", {})))
    assert isinstance(column, ColumnConfig)
    return column


def published_columns() -> dict[str, ColumnConfig]:
    """Columns of the published table by benchmark, in their order: the shipped ones that have an
    order."""
    columns = {name: shipped_column(name) or ColumnConfig() for name in shipped("benchmark")}
    ordered = [(column.order, name) for name, column in columns.items() if column.order is not None]
    return {name: columns[name] for _, name in sorted(ordered)}


def is_official(name: str) -> bool:
    """Whether a shipped benchmark keeps its name for the official files."""
    node = shipped_benchmark(name) or {}
    return bool(node.get("official_name") == name)
