"""The notebook of the documents runs, in a kernel of its own, and shows what it promises."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from documents import ROOT
from nbclient import NotebookClient

from oodbench.data.demo.plan import demo_data_sets
from oodbench.data.demo.sources import sources_folder

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_no_outputs_are_stored() -> None:
    cells = [cell for cell in read().cells if cell.cell_type == "code"]
    assert len(cells) > 5
    assert [cell for cell in cells if cell.outputs or cell.execution_count] == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:jupyter_client")
def test_all_cells_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    (data_set,) = (found for found in demo_data_sets() if found.name == "imagenet-a")
    for file in data_set.files:
        file.write(sources_folder(), tmp_path / "demo-data" / file.path)
    notebook = read()
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    shown = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    pages = [
        "".join(output.data["text/html"] for output in outputs if "data" in output)
        for outputs in shown
        if outputs
    ]
    assert "efficientnet_lite0 × imagenet_a" in pages[0]
    assert "demo data" in pages[0]
    assert "p_value_holm" in pages[-2]
    assert "mirrored" in pages[-1]
    assert len(list(tmp_path.glob("outputs/runs/imagenet_a/*/*/result.json"))) == 2
