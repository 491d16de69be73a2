"""What tells runs of one benchmark apart, in the words of the command line."""

from collections.abc import Sequence

from oodbench.core.shipped import shipped_benchmark
from oodbench.runs.naming.difference import difference_text
from oodbench.runs.results import RunResult

VARIED = ("preprocessing", "attack", "engine")
"""Fields of a run, beside its model, that are varied on purpose."""


def words_of(run: RunResult) -> dict[str, str]:
    """By field, what a run did otherwise than usual; empty where nothing.

    Returns:
        `model`, each of `VARIED`, and `difference`: all else.
    """
    usual = {"preprocessing": "published", "attack": _usual_attack(run)}
    left = list(run.difference)
    found = {"model": run.model}
    for field in VARIED:
        own = [word for word in left if is_of(word, field)]
        left = [word for word in left if word not in own]
        name = getattr(run, field, "")
        named = [] if own or name == usual.get(field, "") else [f"{field}={name}"]
        found[field] = difference_text([*named, *own])
    return {**found, "difference": difference_text(left)}


def is_of(word: str, field: str) -> bool:
    """Whether a word of a difference, such as `attack.eps=0.03`, says something of a field."""
    return word.partition("=")[0].split(".")[0] == field


def way_of(run: RunResult, field: str) -> str:
    """What the run has in the field, without the field's own name before it."""
    word = words_of(run)[field] or str(getattr(run, field, "as shipped"))
    return word.replace(f"{field}.", "").removeprefix(f"{field}=")


def cell_of(runs: Sequence[RunResult]) -> str:
    """What runs of one benchmark have in common: it, and whatever else is the same in all."""
    said = [words_of(run) for run in runs]
    shared = {
        field: word
        for field, word in said[0].items()
        if all(other[field] == word for other in said)
    }
    model = shared.pop("model", "")
    words = ", ".join(filter(None, shared.values()))
    return "".join(
        [f"{model} × " if model else "", runs[0].benchmark, f" ({words})" if words else ""]
    )


def _usual_attack(run: RunResult) -> str:
    return str((shipped_benchmark(run.benchmark) or {}).get("attack", "none"))
