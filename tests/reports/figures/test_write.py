import builtins
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from oodbench.core.errors import OutputError
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.style import ONE_COLUMN, new_drawing
from oodbench.reports.figures.write import write_figures


def _draw():
    drawing = new_drawing(ONE_COLUMN, 50)
    drawing.add_subplot().plot([1, 2], [2, 1])
    return drawing


FIGURE = Figure("mine", "S", "T", "C.", "D.", pd.DataFrame({"a": ["=1+1", "x"]}), _draw)


def test_files_for_a_paper(tmp_path: Path):
    files = write_figures([FIGURE], tmp_path / "figures")
    assert [file.name for file in files] == ["mine.svg", "mine.pdf", "mine.png", "mine.csv"]
    with Image.open(files[2]) as picture:
        assert picture.width == pytest.approx(ONE_COLUMN / 25.4 * 300, abs=1)
        assert picture.info["dpi"][0] == pytest.approx(300, abs=0.1)
    content = files[1].read_bytes()
    assert b"/Type0" in content  # Type 42 fonts, embedded
    assert b"/Type3" not in content
    assert files[3].read_text("utf-8") == "a\n'=1+1\nx\n"


def test_the_same_figures_give_the_same_bytes(tmp_path: Path):
    first, second = (write_figures([FIGURE], tmp_path / name) for name in ("a", "b"))
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_without_matplotlib(tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "matplotlib":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(OutputError, match=r"matplotlib: in the clone .*\[report\]"):
        write_figures([FIGURE], tmp_path)
