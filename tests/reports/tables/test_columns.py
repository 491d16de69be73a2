"""Columns as configs describe them, without a name of a benchmark in the code."""

from pathlib import Path

import pytest
from run_factory import failure, run_result, score

from oodbench.cli.table import main
from oodbench.core.schema import ColumnConfig, ColumnMetric
from oodbench.reports.tables.columns import table_columns
from oodbench.reports.tables.wide import wide_table
from oodbench.run import run_cell
from oodbench.runs.plan import make_plan
from oodbench.sweeps.catalogue import load_runs
from oodbench.sweeps.standing.record import JobRecord

PUBLISHED = ["IN", "IN-A", "IN-C", "IN-P", "Stylized IN", "IN-Sketch", "Adv. acc."]

RENDITIONS = """# Renditions of ImageNet's classes.
name: renditions
root: ${data.root}/imagenet/val
column:
  title: IN-R
  lower_is_better: true
  metrics:
    top5: {caption: the top-5 accuracy}
published_preprocessing:
  default: {resize: 32, crop: 32}
protocol:
  _target_: oodbench.benchmarks.folder.FolderBenchmark
  root: ${benchmark.root}
  n_expected: 30000
  scores: [oodbench.metrics.accuracy.top1]
"""


def titles(*columns: tuple[str, ColumnConfig]) -> list[str]:
    """Of the columns beside the published ones."""
    results = [run_result("m", name, column=column) for name, column in columns]
    return [column.title for column in table_columns(results, [])][len(PUBLISHED) :]


def test_the_published_columns_are_there_without_a_run() -> None:
    assert [column.title for column in table_columns([], [])] == PUBLISHED


def test_a_benchmark_that_says_nothing_appears_under_its_name_with_its_headline() -> None:
    (column,) = table_columns([run_result("m", "mine", headline="mean")], [])[len(PUBLISHED) :]
    assert (column.title, list(column.metrics)) == ("mine", ["mean"])


def test_others_stand_by_order_then_by_name() -> None:
    assert titles(
        ("c", ColumnConfig("C")), ("b", ColumnConfig("B")), ("z", ColumnConfig("Z", order=1))
    ) == ["Z", "B", "C"]


def test_a_title_that_is_taken_gives_way_to_the_name() -> None:
    copied = ColumnConfig("IN-C", 3, {"mce": ColumnMetric()})
    assert titles(("a_copy", copied)) == ["a_copy"]
    assert titles(("a", ColumnConfig("b")), ("b", ColumnConfig("T")), ("c", ColumnConfig("T"))) == [
        "b",
        "T",
        "c",
    ]
    assert titles(("a", ColumnConfig("b")), ("b", ColumnConfig("Model"))) == ["b", "Model (b)"]


def test_a_shipped_benchmark_appears_as_it_is_shipped() -> None:
    assert titles(("imagenet_c_generated", ColumnConfig("IN-C", 3))) == ["imagenet_c_generated"]
    changed = [run_result("m", "imagenet", column=ColumnConfig("Mine"))]
    assert [column.title for column in table_columns(changed, [])] == PUBLISHED


def test_the_newest_result_says_how_its_benchmark_appears() -> None:
    results = [
        run_result("m", "mine", key=key, modified=modified, column=ColumnConfig(title))
        for key, modified, title in (("1", 2.0, "new"), ("2", 1.0, "old"))
    ]
    assert table_columns(results, [])[-1].title == "new"
    failed = failure("m", "mine", column=ColumnConfig("failed"))
    assert table_columns(results, [failed])[-1].title == "new"
    assert table_columns([], [failed])[-1].title == "failed"


@pytest.mark.parametrize(
    ("extra", "sentences"),
    [
        ({}, "IN-C is mCE, IN-P is the flip probability; lower is better for both. Stylized"),
        (
            {"column": ColumnConfig("T", lower_is_better=True), "headline": "risk"},
            "IN-C is mCE, IN-P is the flip probability, T is risk; lower is better for all. Sty",
        ),
        (
            {"column": ColumnConfig("T", metrics={"risk": ColumnMetric(caption="a risk")})},
            "for both. Stylized IN is the shape bias. Adv. acc. is the accuracy under the attack "
            "that the row names, else under targeted PGD (l_inf, eps 0.06). T is a risk. –: no "
            "value.",
        ),
    ],
)
def test_captions(extra: dict[str, object], sentences: str) -> None:
    scores = {"risk": score(0.1)}
    caption = wide_table([run_result("m", "mine", scores, **extra)], [], {}).caption
    assert sentences in caption


def test_a_benchmark_of_the_user_s_has_its_title_and_caption(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the YAML to the table; neither knows the user's configs when the table is made."""
    monkeypatch.syspath_prepend(str(toy))
    (toy / "my_conf" / "benchmark").mkdir()
    (toy / "my_conf" / "benchmark" / "renditions.yaml").write_text(RENDITIONS)
    given = [f"data.root={toy / 'data'}", "data.allow_partial=true", f"output_root={toy / 'out'}"]
    overrides = ["benchmark=renditions", "engine=eager", "limit=5", *given]
    plan = make_plan(load_runs(["toy"], overrides, toy / "my_conf")[0])
    record = JobRecord(Path(plan.run.output_root), overrides)
    assert run_cell(plan, record).state == "done"
    assert main(["--output-root", str(toy / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    heading, cells = (line.split("|")[1:-1] for line in (lines[0], lines[2]))
    assert (heading[0].strip(), heading[-1].strip()) == ("Model", "IN-R")
    assert cells[-1].strip().endswith("partial 5/30000")
    assert "IN-R is the top-5 accuracy; lower is better for all." in lines[4]
