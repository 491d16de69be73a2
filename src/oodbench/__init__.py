"""Out-of-distribution benchmarks for image classifiers: one config, one run, one table.

From Python: `evaluate`, `read_result`, `read_results` and `compare`, see `oodbench.api`. They are
imported when they are first used; importing this package imports nothing else.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oodbench.api import compare, evaluate, read_result, read_results

__all__ = ["compare", "evaluate", "read_result", "read_results"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from oodbench import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
