"""Whether a result was scored as it would be now: by the same scores, and the same code.

What computes scores is not in the key: the records stay, and only the scores are computed again.
"""

from typing import Any

from oodbench.core.ids import SCORES, frozen
from oodbench.core.own_code.identity import CODE, code_field, unknown_code
from oodbench.runs.key import SCORING_ONLY
from oodbench.runs.results import RunResult


def scoring_code(protocol: dict[str, Any], identity: str | None = None) -> dict[str, Any]:
    """What the user's own code is that a protocol's scores name; empty where they name none.

    Args:
        protocol: the `benchmark.protocol` node.
        identity: `code.identity`.
    """
    return code_field({name: protocol.get(name) for name in SCORING_ONLY}, identity)


def is_scored_alike(result: RunResult, protocol: dict[str, Any], identity: str | None) -> bool:
    """Whether the same code would score it now, where the result says which one did."""
    stored = result.config.get("benchmark", {})
    named, asked = stored.get("protocol", {}).get(SCORES), frozen(protocol).get(SCORES)
    if named is not None and asked is not None and named != asked:
        return False
    if CODE not in stored:
        return True
    now = scoring_code(protocol, identity)
    return bool(stored[CODE] == now.get(CODE)) and not unknown_code(now)


def with_scoring_code(config: dict[str, Any], protocol: dict[str, Any]) -> dict[str, Any]:
    """The config of a result that is scored again; a name that the user gave stays."""
    benchmark = config["benchmark"]
    if not isinstance(benchmark.get(CODE), dict):
        return config
    return {**config, "benchmark": {**benchmark, **scoring_code(protocol)}}
