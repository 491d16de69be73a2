"""The class of a benchmark that a stored result names.

What stands below an output root is data: a dotted name in it is imported only where the table of
ids holds it.
"""

from functools import cache

from hydra.utils import get_class

from oodbench.core.ids import is_known, located_name
from oodbench.runs.results import RunResult


def benchmark_class(result: RunResult) -> type | None:
    """The class of the result's benchmark, None where it is none of oodbench's own."""
    target = result.config.get("benchmark", {}).get("protocol", {}).get("_target_")
    return _known_class(target) if isinstance(target, str) else None


@cache
def _known_class(target: str) -> type | None:
    return get_class(located_name(target)) if is_known("benchmark", target) else None
