"""`oodbench-report` from the command line."""

import sys
from pathlib import Path

import pytest
from report_toys import store_everything
from run_factory import store_examples

from oodbench.cli.report import main


def test_the_path_is_printed_with_its_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_examples(tmp_path)
    page = tmp_path / "pages" / "report.html"
    line = ["--output-root", str(tmp_path), "--out", str(page)]
    assert main(line) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{page}  ")
    assert said.out.endswith(" kB\n")
    assert said.err.count("warning: ") == 2  # the two runs have no records for a summary
    assert main(line) == 0  # which has the failures that were found
    assert main(line) == 0
    assert capsys.readouterr().out.endswith(" kB, nothing has changed since it was written\n")
    assert main([*line, "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_figures_are_files_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_examples(tmp_path)
    folder = tmp_path / "figures"
    line = ["--output-root", str(tmp_path), "--out", str(tmp_path / "r.html")]
    assert main([*line, "--figures", str(folder)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    found = list(folder.glob("*")) if folder.exists() else []
    assert last.startswith(f"{folder}  {len(found)} files, ")


def test_no_run_is_an_error_of_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output-root", str(tmp_path), "--out", str(tmp_path / "r.html")]) == 1
    assert capsys.readouterr().err.startswith(f"error: no finished run below {tmp_path}/runs; run")
    assert main(["--output-root", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert "a folder; name a file in it" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["jinja2", "matplotlib"])
def test_a_missing_package_is_one_line_that_says_what_to_install(
    tmp_path: Path,
    module: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store_everything(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["--output-root", str(tmp_path), "--out", str(tmp_path / "r.html")]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert f"the package {module}: in the clone of oodbench: pip install -e '.[report]'" in line
