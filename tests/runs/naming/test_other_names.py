"""A run that two names stand for."""

from pathlib import Path

import pytest

from oodbench.runs.naming.other_names import add_name, other_names
from oodbench.runs.paths import RunPaths


def test_names_are_kept_once_and_sorted(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "run")
    assert other_names(paths) == []
    for name in ("timm", "square", "timm"):
        add_name(paths, name)
    assert other_names(paths) == ["square", "timm"]


@pytest.mark.parametrize("text", ["{", "[]", '{"preprocessing": "timm"}', "{}"])
def test_a_damaged_file_holds_none(tmp_path: Path, text: str) -> None:
    paths = RunPaths(tmp_path)
    paths.other_names.write_text(text)
    assert other_names(paths) == []
    add_name(paths, "timm")
    assert other_names(paths) == ["timm"]
