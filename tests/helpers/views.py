"""Tables of results made by hand, which have no records."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from run_factory import run_result, score

from oodbench.reports.tables.asked import Asked
from oodbench.reports.tables.show import asked_view
from oodbench.reports.tables.view import View
from oodbench.reports.tables.write import Stored
from oodbench.runs.results import RunFailure, RunResult

ODD = (
    "=cmd()|'x'!A1",
    '<script>alert("x")</script>&amp;',
    r"$x^2$ \input{secret} 100% #1 {a}_b~c",
    "[left] --- ,, ?` `` ''",
    "*starred",
    "two\nlines\tand\r\x1b[31m",
    "żółć ñ ß 中文 α 🦋",
    "@name",
    "key: [value] # - &anchor *alias !!tag",
    "a|b **bold** [link](x)",
)
"""Names with every character that a format takes for its own."""


def view_of(
    results: Iterable[RunResult],
    *,
    failures: tuple[RunFailure, ...] = (),
    names: dict[Path, list[str]] | None = None,
    **asked: Any,
) -> View:
    """What is asked for, of runs on data of their own, so that nobody looks for their records."""
    apart = [replace(run, dataset_fingerprint=str(n)) for n, run in enumerate(results)]
    return asked_view(Stored(apart, failures, {}, names or {}, ()), Asked(**asked), [])


def odd_view(**asked: Any) -> View:
    """A run of each odd name on two benchmarks, one of which has that name too."""
    results = [
        run_result(name, scores={"top1": score(0.5 + 0.01 * place, 0.1, 0.9)})
        for place, name in enumerate(ODD)
    ]
    results += [
        run_result(name, name, {"mine": score(0.25)}, headline="mine", difference=[f"k={name}"])
        for name in ODD
    ]
    return view_of(results, **asked)
