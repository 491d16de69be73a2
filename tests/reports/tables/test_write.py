from pathlib import Path

import pytest
from run_factory import run_result, score, store, store_examples

from oodbench.reports.tables.wide import WideTable, wide_table
from oodbench.reports.tables.write import markdown, write_tables

FILES = ("results.csv", "table.csv", "table.md")


def contents(root: Path) -> dict[str, bytes]:
    return {name: (root / "tables" / name).read_bytes() for name in FILES}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    store_examples(tmp_path)
    return tmp_path


def test_same_bytes_again(root: Path) -> None:
    write_tables(root)
    first = contents(root)
    write_tables(root)
    assert contents(root) == first


def test_times_of_change_are_not_in_the_tables(root: Path) -> None:
    write_tables(root)
    first = contents(root)
    store(run_result("mynet", "imagenet_a", {"top1": score(0.25)}), root, modified=2_000_000_000)
    write_tables(root)
    assert contents(root) == first


def test_demo_warning_is_the_first_line() -> None:
    demo = wide_table([run_result("m", demo=True)], [], {})
    first = markdown(demo).splitlines()[0]
    assert first == "DEMO DATA: these numbers are not comparable with published ones."


def test_bars_in_names_do_not_break_the_table() -> None:
    table = wide_table([run_result("a|b")], [], {})
    assert r"| a\|b  |" in markdown(WideTable(table.frame, table.shown, "", "x"))
