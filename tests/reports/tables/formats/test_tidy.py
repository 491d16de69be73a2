"""CSV and JSON, read back by others."""

import json
import math
from io import StringIO

import pandas as pd
import pytest
from run_factory import run_result, score
from views import ODD, odd_view, view_of

from oodbench.reports.tables.formats.csv import text_of as as_csv
from oodbench.reports.tables.formats.json import text_of as as_json


def test_csv_has_one_row_a_cell_and_no_formulas() -> None:
    table = pd.read_csv(StringIO(as_csv(odd_view())), keep_default_na=False)
    assert len(table) == 2 * len(ODD)
    models = table["model"].tolist()[: len(ODD)]
    assert {model.removeprefix("'") for model in models} >= {n for n in ODD if "\r" not in n}
    texts = table[["model", "column", "benchmark", "text"]].to_numpy().ravel()
    assert not [t for t in texts if str(t).startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert sorted(table["value"].unique())[:2] == [0.25, 0.5]


def test_json_keeps_names_as_they_are() -> None:
    content = json.loads(as_json(odd_view()))
    cells = content["cells"]
    assert {cell["model"].partition(" (k=")[0] for cell in cells} == set(ODD)
    assert content["caption"].startswith("Percent")
    of_imagenet = [cell for cell in cells if cell["benchmark"] == "imagenet"]
    assert [cell["low"] for cell in of_imagenet] == [0.1] * len(ODD)
    assert {cell["low"] for cell in cells if cell["benchmark"] != "imagenet"} == {None}
    assert "difference" not in cells[0]


def test_differences_and_labels_are_fields() -> None:
    runs = [
        run_result("ant", scores={"top1": score(0.5, 0.4, 0.6)}),
        run_result("bee", scores={"top1": score(0.7, 0.6, 0.8)}),
        run_result("bee", "imagenet_a", {"top1": score(math.nan)}),
    ]
    view = view_of(runs, against="ant", by="preprocessing")
    (cell,) = json.loads(as_json(view))["cells"]
    assert (cell["model"], cell["preprocessing"]) == ("bee", "published")
    assert cell["reference"] == 0.5
    assert cell["difference"] == pytest.approx(0.2)
    assert cell["paired"] is False
    table = pd.read_csv(StringIO(as_csv(view)))
    assert list(table["difference"]) == pytest.approx([0.2])
    assert len(set(table.columns)) == len(table.columns)
