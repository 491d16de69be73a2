"""Spreads are computed once, and again where their runs or what was kept of them are others."""

import json
from pathlib import Path
from typing import Any

import pytest
from report_toys import store_everything

from oodbench.reports.page import kept_spreads as module
from oodbench.reports.page.kept_spreads import kept_spreads
from oodbench.runs.paths import kept_spread
from oodbench.runs.results import read_results


@pytest.fixture
def root(tmp_path: Path) -> Path:
    store_everything(tmp_path)
    return tmp_path


def found(root: Path, field: str = "preprocessing") -> dict[str, Any] | None:
    problems: list[str] = []
    content = kept_spreads(root, field, read_results(root).results, problems)
    assert problems == []
    return content


def test_the_range_is_that_of_the_scores(root: Path) -> None:
    content = found(root)
    assert content is not None
    (cell,) = content["cells"]
    assert cell["cell"] == "resnet50 × imagenet"
    assert cell["range"] == pytest.approx(100 * (30 - 24) / 40)
    assert (cell["changed"], cell["common"]) == (6, 40)
    assert found(root, "attack") is None


def test_what_was_kept_is_read_back_unless_it_is_damaged(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = found(root)
    calls: list[str] = []
    computed = module.spreads

    def counted(output_root: Path, field: str) -> Any:
        calls.append(field)
        return computed(output_root, field)

    monkeypatch.setattr(module, "spreads", counted)
    assert found(root) == content
    assert calls == []
    path = kept_spread(root, "preprocessing")
    stored = json.loads(path.read_text())
    stored["content"]["cells"][0]["range"] = 99.0
    path.write_text(json.dumps(stored))
    assert found(root) == content
    path.write_text("{")
    assert found(root) == content
    assert calls == ["preprocessing"] * 2


def test_another_result_is_another_spread(root: Path) -> None:
    before = found(root)
    file = next(root.glob("runs/imagenet/resnet50/a2*/result.json"))
    stored = json.loads(file.read_text())
    stored["scores"][""]["top1"]["value"] = 0.5
    del stored["sha256"]
    file.write_text(json.dumps(stored))
    after = found(root)
    assert before is not None
    assert after is not None
    assert after["cells"][0]["range"] == pytest.approx(25.0)
