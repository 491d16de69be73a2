"""The speed scripts, as far as it can be seen without running them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

MODULES = sorted((Path(__file__).parents[1] / "measurements").glob("*.py"))
SCRIPTS = [path for path in MODULES if "__main__" in path.read_text()]
FIELDS = {"work", "ours", "theirs", "unit", "ratio", "agree"}


def options(script: Path) -> set[object]:
    """First arguments of all calls of `add_argument`."""
    return {
        node.args[0].value
        for node in ast.walk(ast.parse(script.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "add_argument"
        and isinstance(node.args[0], ast.Constant)
    }


def rows() -> Iterator[tuple[str, set[object]]]:
    """Place and keys of every figure: a dictionary that says `work`."""
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Dict):
                keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
                if "work" in keys:
                    yield f"{module.name}:{node.lineno}", keys


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_writes_its_figures_where_it_is_told(script: Path) -> None:
    assert "--json" in options(script)


def test_all_figures_have_the_same_fields() -> None:
    found = list(rows())
    assert len(found) >= len(SCRIPTS)
    assert [place for place, keys in found if not keys >= FIELDS] == []
