"""What a stored result may have built when it is scored again.

A result is data and may come from anywhere, while importing what a dotted name says runs code. So
it names ids of oodbench's table, or what the user allows by name.
"""

from collections.abc import Collection, Iterator
from typing import Any

from oodbench.core.errors import DataError
from oodbench.core.ids import SCORES, TARGET, is_known
from oodbench.runs.results import RunResult


def stored_protocol(result: RunResult, allowed: Collection[str] = ()) -> dict[str, Any]:
    """The protocol in the config of a result, once all that it names may be imported.

    Args:
        result: read from disk.
        allowed: dotted names that the user vouches for.

    Raises:
        DataError: there is no protocol, or it names something else, by the file and the name.
    """
    file = result.paths.result
    protocol = result.config.get("benchmark", {}).get("protocol")
    if not isinstance(protocol, dict) or TARGET not in protocol:
        raise DataError(f"{file}: config.benchmark.protocol has no {TARGET}: run the cell again")
    for key, kind, name in _names("benchmark.protocol", protocol, "benchmark"):
        if name not in allowed and not is_known(kind, name):
            raise DataError(
                f"{file}: {key}={name} is no {kind} of oodbench's own, so it is not imported: if "
                f"you trust the file and the code, add --allow-target {name}"
            )
    for key, text in _texts("benchmark.protocol", protocol):
        if "${" in text:
            raise DataError(f"{file}: {key}={text}: a result holds no interpolation: remove it")
    return protocol


def _names(key: str, value: Any, kind: str) -> Iterator[tuple[str, str, Any]]:
    """(key, kind, dotted name) of all that would be imported."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from _names(f"{key}.{position}", item, "readout")
    elif isinstance(value, dict):
        if TARGET in value:
            yield f"{key}.{TARGET}", kind, value[TARGET]
        for name, item in value.items():
            if name == SCORES:
                scores = item if isinstance(item, list) else [item]
                yield from ((f"{key}.{name}", "score", score) for score in scores)
            else:
                yield from _names(f"{key}.{name}", item, "readout")


def _texts(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """(key, text) of all strings: in one of them a whole node could be hidden."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _texts(f"{key}.{position}", item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(f"{key}.{name}", item)
