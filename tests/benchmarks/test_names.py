"""General code decides nothing by the name of a benchmark."""

import ast
from pathlib import Path

import oodbench
from oodbench.core.schema import shipped

PACKAGE = Path(oodbench.__file__).parent
SPECIAL = ("benchmarks", "data", "metrics", "reference")
"""Parts that are about single benchmarks."""


def constants(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_no_name_of_a_benchmark_stands_in_general_code() -> None:
    names = set(shipped("benchmark"))
    assert "imagenet_c" in names
    found = {
        path.relative_to(PACKAGE).as_posix(): sorted(names & constants(path))
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in SPECIAL
    }
    assert {path: used for path, used in found.items() if used} == {}
