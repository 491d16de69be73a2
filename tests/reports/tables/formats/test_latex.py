"""LaTeX that compiles, whatever names there are."""

import shutil
import subprocess
from pathlib import Path

import pytest
from views import odd_view

from oodbench.reports.tables.formats.latex import for_latex, text_of

PDFLATEX = shutil.which("pdflatex")
_DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs}
\begin{document}
\input{table}
%s
\end{document}
"""


def test_marks_by_hand() -> None:
    assert for_latex("a_b & 5 % of $x$") == r"a\_b \& 5 \% of \$x\$"
    assert for_latex("\\input{x}") == r"\textbackslash{}input\{x\}"
    assert for_latex("---") == "-{}-{}-"
    assert for_latex("[1] *") == "{}[1] *"
    assert for_latex("é 中\n") == r"é U+4E2D\textbackslash{}n"


def test_rows_and_best_cells() -> None:
    lines = text_of(odd_view(best=True, columns=("imagenet",))).splitlines()
    assert lines[4] == r"\begin{tabular}{lr}"
    assert lines[5:8] == [r"\toprule", r"Model & IN \\", r"\midrule"]
    assert lines[-4].endswith(r"\\")
    assert lines[-3:] == [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    (row,) = [line for line in lines if line.startswith("@name &")]
    assert row == r"@name & \textbf{57.0 [10.0, 90.0]} \\"


def has_booktabs() -> bool:
    if PDFLATEX is None:
        return False
    found = subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True, check=False)
    return found.returncode == 0


@pytest.mark.skipif(not has_booktabs(), reason="pdflatex with booktabs is not installed")
def test_it_compiles(tmp_path: Path) -> None:
    """Also each Latin letter and sign by itself, not all of which names above have."""
    (tmp_path / "table.tex").write_text(text_of(odd_view(best=True)), encoding="utf-8")
    letters = [for_latex(chr(code)) for code in (*range(33, 127), *range(0xA0, 0x180))]
    (tmp_path / "main.tex").write_text(_DOCUMENT % "\n\n".join(letters), encoding="utf-8")
    line = ["pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, check=False)
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, said
    assert "Missing character" not in said
