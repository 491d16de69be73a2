"""The cells of the page: the same runs and marks as in oodbench-table."""

from collections.abc import Sequence

from run_factory import failure, run_result, score

from oodbench.metrics.score import Score
from oodbench.reports.page.table import PageTable, page_table
from oodbench.reports.tables.wide import wide_view
from oodbench.runs.results import RunFailure, RunResult


def table(results: Sequence[RunResult], failures: Sequence[RunFailure] = ()) -> PageTable:
    view = wide_view(results, failures, {})
    return page_table(view, {run.directory: at for at, run in enumerate(results)})


def test_a_cell_has_value_interval_and_what_was_published() -> None:
    found = table([run_result("resnet50", scores={"top1": score(0.7513, 0.74, 0.76, n=50000)})])
    assert found.columns == [("IN", False)]
    (cell,) = found.rows[0].cells
    assert (cell.text, cell.interval, cell.status, cell.run) == (
        *("75.1", "[74.0, 76.0]", "complete"),
        0,
    )
    details = dict(cell.details)
    assert (details["published"], details["difference"]) == ("76.1", "-1.0")
    assert details["pictures"] == "10 of 10, complete"


def test_marks_go_where_the_number_goes() -> None:
    partial = run_result("a", status="partial", n_images=5, n_expected=50)
    demo = run_result("b", demo=True, extension=True)
    found = table([partial, demo], [failure("a", "imagenet_a")])
    cells = {row.model: row.cells for row in found.rows}
    assert [cell.marks for cell in cells["a"]] == [["partial 5/50"], ()]
    assert [cell.marks for cell in cells["b"]] == [["demo 10", "ext."], ()]
    assert dict(found.statuses) == {"partial": 1, "demo": 1, "failed": 1}
    assert "published" not in dict(cells["b"][0].details)


def test_columns_without_runs_are_named_and_left_out() -> None:
    found = table([run_result("a", "imagenet_sketch")])
    assert [heading for heading, _ in found.columns] == ["IN-Sketch"]
    assert {"IN", "IN-A", "IN-C"} < set(found.empty)
    assert "IN-C is" not in found.caption


def test_a_missing_value_is_a_dash_and_sorts_last() -> None:
    nothing = Score(float("nan"), float("nan"), float("nan"), 0, note="no decision")
    (row,) = table([run_result("a", scores={"top1": nothing})]).rows
    assert (row.cells[0].text, row.cells[0].sort) == ("–", None)
    assert dict(row.cells[0].details)["note"] == "no decision"


def test_what_was_done_otherwise_stands_below_the_model() -> None:
    runs = [run_result("a (b)"), run_result("a (b)", difference=["seed=1"], key="2")]
    assert [(row.model, row.otherwise) for row in table(runs).rows] == [
        ("a (b)", ""),
        ("a (b)", "seed=1"),
    ]
