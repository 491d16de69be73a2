"""What run.json says a run took."""

import json
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from run_factory import run_result

from oodbench.reports.page.sessions import Cost, cost_of


def cost(folder: Path, content: Any) -> Cost:
    (folder / "run.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return cost_of(run_result(directory=folder))


def test_sessions_are_summed_and_name_each_thing_once(tmp_path: Path) -> None:
    first = {"seconds": 10, "items": 100, "computed_by": "eager", "device": "cpu", "host": "a"}
    second = {"seconds": 30.0, "items": 300, "computed_by": "openvino", "device": "cpu"}
    copied = {"seconds": 60, "items": 0, "computed_by": None, "device": "cpu", "peak_memory": 2**31}
    found = cost(tmp_path, {"sessions": [first, second, copied]})
    assert (found.seconds, found.rate, found.memory, found.n_sessions) == (100, 10, 2.0, 3)
    assert (found.engine, found.device, found.host) == ("eager, openvino", "cpu", "a")


@pytest.mark.parametrize("content", ["{", "[]", {"sessions": 3}, {"sessions": [7]}, {}])
def test_a_damaged_file_is_no_error(tmp_path: Path, content: Any) -> None:
    found = cost(tmp_path, content)
    assert isnan(found.seconds)
    assert (found.engine, found.n_sessions) == ("", 0)


def test_nor_is_a_missing_one(tmp_path: Path) -> None:
    assert cost_of(run_result(directory=tmp_path / "none")).n_sessions == 0


def test_what_is_no_number_counts_as_nothing(tmp_path: Path) -> None:
    found = cost(tmp_path, {"sessions": [{"seconds": "long", "items": None, "versions": 4}]})
    assert isnan(found.rate)
    assert found.seconds == 0
