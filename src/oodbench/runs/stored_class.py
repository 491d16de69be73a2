"""The class of a benchmark that a stored result names.

What stands below an output root is data: a dotted name in it is imported only where the shipped
configs hold it too.
"""

from functools import cache

from hydra.utils import get_class

from oodbench.core.schema import shipped
from oodbench.core.shipped import shipped_benchmark
from oodbench.runs.results import RunResult


def benchmark_class(result: RunResult) -> type | None:
    """The class of the result's benchmark, None where it is none of oodbench's own."""
    protocol = result.config.get("benchmark", {}).get("protocol", {})
    target = protocol.get("_target_")
    return get_class(target) if target in _own_targets() else None


@cache
def _own_targets() -> frozenset[str]:
    nodes = (shipped_benchmark(name) or {} for name in shipped("benchmark"))
    return frozenset(node["protocol"]["_target_"] for node in nodes)
