"""What is said of optional packages is something that works."""

import configparser
import re
from pathlib import Path

from oodbench.core.extras import install_extra

ROOT = Path(__file__).parents[2]
FILES = [
    *(ROOT / "src").rglob("*.py"),
    *(ROOT / "conf").rglob("*.yaml"),
    *(ROOT / "docs").glob("*.md"),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
]


def extras() -> set[str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return set(setup["options.extras_require"])


def test_what_to_type() -> None:
    assert install_extra("onnx") == "in the clone of oodbench: pip install -e '.[onnx]'"


def test_only_extras_that_there_are_and_no_index_that_has_none() -> None:
    named: set[str] = set()
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        assert "oodbench[" not in text, file
        named |= set(re.findall(r"install_extra\([\"']([\w-]+)[\"']\)", text))
        for several in re.findall(r"pip install -e '\.\[([\w,-]+)\]'", text):
            named |= set(several.split(","))
    assert named == extras()
