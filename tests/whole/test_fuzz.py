"""Wrong values for keys that exist: each ends with a sentence, none with a traceback."""

import random
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from toys import Cli

BASE = ("model=toy", "benchmark=imagenet", "attack=pgd_linf", "attack.iterations=1", "engine=eager")
VALUES = (
    *("nan", "inf", "-1", "0", "1.5", "1e30", "123456789012345678901234567890", "true", "null"),
    *("x", "''", "[1]", "{a: 1}", "../x"),
)
COUNT = 25
SEED = 20261126


def leaves(node: Any, above: str = "") -> list[str]:
    """Dotted keys of all values that are no mappings."""
    if not isinstance(node, dict):
        return [above]
    return [
        key for name, value in node.items() for key in leaves(value, f"{above}.{name}".lstrip("."))
    ]


@pytest.mark.slow
def test_wrong_values_end_with_a_sentence(toy: Path, cli: Cli) -> None:
    shown = cli("--cfg=job", "--resolve", *BASE)
    config = OmegaConf.to_container(OmegaConf.create(shown.stdout))
    pairs = [(key, value) for key in leaves(config) for value in VALUES]
    assert len(pairs) > 500
    for key, value in random.Random(SEED).sample(pairs, COUNT):
        found = cli(*BASE, f"{key}={value}", "output_root=o", "engine.threads=1")
        said = found.stdout + found.stderr
        assert found.returncode in (0, 1), (key, value, said)
        assert "Traceback" not in said, (key, value, said)
