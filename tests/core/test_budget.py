"""Budgets: a part of every split, nested, reused, and never shown as the whole."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from toys import WNIDS, Cli, write_pictures

from oodbench.core.budget import Budget, budget_note, item_counts, parse_budget
from oodbench.core.errors import ConfigError
from oodbench.core.schema import validate
from oodbench.reports.tables.write import write_tables
from oodbench.run import run_cell
from oodbench.runs.plan import make_plan
from oodbench.runs.records import read_split
from oodbench.sweeps.jobs import Launch
from oodbench.sweeps.outcomes import Outcome
from oodbench.sweeps.standing.record import JobRecord

PIPELINE = "preprocessing=timm"
QUICK = ("engine=eager", "engine.batch_size=4")


@pytest.mark.parametrize(
    ("value", "n_items", "expected"),
    [
        (None, 50_000, 50_000),
        ("2%", 50_000, 1_000),
        ("2%", 7_501, 151),  # 150.02, rounded up
        ("2%", 1, 1),
        ("0.01%", 50_000, 5),
        ("0.1%", 50_000, 50),  # in floats 50.00000000000001, which would be 51
        ("100%", 1_201, 1_201),
        (5_000, 50_000, 5_000),
        (5_000, 1_201, 1_201),
        (1, 7, 1),
        ("2%", 0, 0),
    ],
)
def test_items_of_a_split(value: Any, n_items: int, expected: int) -> None:
    assert parse_budget(value).items(n_items) == expected


@pytest.mark.parametrize(
    "value",
    ["0%", "120%", "100.1%", "2 percent", "-2%", "%", "2%%", "two", "", 0, -5, 2.5, 0.02, True, []],
)
def test_bad_values_are_one_line_that_says_what_to_give(value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_budget(value)
    message = str(caught.value)
    assert message.startswith(f"budget={value}: give a part of every split")
    assert "2%" in message
    assert "5000" in message
    assert "\n" not in message


def test_a_larger_budget_holds_a_smaller_one() -> None:
    for n_items in range(200):
        counts = [parse_budget(f"{percent}%").items(n_items) for percent in range(1, 101)]
        assert counts == sorted(counts)
        assert counts[-1] == n_items
        assert n_items == 0 or counts[0] >= 1


def test_of_limit_and_budget_the_smaller_one_counts_in_every_split() -> None:
    sizes = {"fog/1": 1_000, "fog/2": 10}
    assert item_counts(sizes, parse_budget("2%"), 5) == {"fog/1": 5, "fog/2": 1}
    assert item_counts(sizes, parse_budget(7), 500) == {"fog/1": 7, "fog/2": 7}
    assert item_counts(sizes, Budget(), None) == sizes


def test_the_note_counts_what_is_left_out() -> None:
    note = budget_note({"a": 1_000, "b": 10}, {"a": 20, "b": 1})
    assert "21 of 1010 items of 2 splits" in note
    assert "20 of 1000 items, the first" in budget_note({"": 1_000}, {"": 20})
    assert budget_note({"": 1_000}, {"": 1_000}) == ""


def result_of(root: Path, benchmark: str = "imagenet") -> dict[str, Any]:
    """The one finished run of a benchmark."""
    (path,) = (root / "runs" / benchmark).glob("*/*/result.json")
    content: dict[str, Any] = json.loads(path.read_text())
    return {**content, "folder": path.parent}


def run(toy: Path, *overrides: str) -> Outcome:
    """One run in this process."""
    usual = ["data.root=data", "data.allow_partial=true", "model=toy", PIPELINE, *QUICK]
    launch = Launch([*usual, *overrides], config_dir=toy / "my_conf")
    plan = make_plan(validate(launch.config(launch.jobs[0])))
    return run_cell(plan, JobRecord(Path(plan.run.output_root), launch.jobs[0]))


@pytest.fixture
def here(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy folder as the current one, its network importable."""
    monkeypatch.chdir(toy)
    monkeypatch.syspath_prepend(str(toy))
    return toy


def test_raised_and_lowered_budgets_are_one_run(here: Path) -> None:
    outputs = here / "outputs"
    official = ("benchmark.name=mine", "benchmark.protocol.n_expected=60")
    assert run(here, *official, "budget=20%").state == "done"
    small = result_of(outputs, "mine")
    assert (small["n_images"], small["n_expected"], small["status"]) == (12, 60, "partial")
    # Wilson's interval of 12 pictures, by his formula.
    score = small["scores"][""]["top1"]
    assert score["n"] == 12
    z, n, share = 1.959963984540054, 12, score["value"]
    half = z * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5 / (1 + z**2 / n)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    assert score["high"] == pytest.approx(centre + half)
    first = read_split(small["folder"] / "records", "")
    # Two of each of the five classes, then the first two classes again.
    assert first["label"].value_counts().tolist() == [3, 3, 2, 2, 2]

    assert run(here, *official, "budget=30").state == "done"
    larger = result_of(outputs, "mine")
    assert (larger["n_images"], larger["status"]) == (30, "partial")
    assert larger["key"] == small["key"]
    second = read_split(larger["folder"] / "records", "")
    pd.testing.assert_frame_equal(second[:12], first)

    assert run(here, *official).state == "done"
    whole = result_of(outputs, "mine")
    assert (whole["n_images"], whole["status"]) == (60, "complete")
    again = run(here, *official, "budget=20%")
    assert again.state == "skipped"
    assert "n=60" in again.message
    assert "partial" not in again.message
    assert result_of(outputs, "mine") == whole


def test_every_model_gets_the_same_pictures(here: Path) -> None:
    for name in ("one", "other"):
        run(here, "budget=15%", f"output_root={name}", f"model.name={name}")
    one, other = (
        read_split(result_of(here / name)["folder"] / "records", "") for name in ("one", "other")
    )
    assert one["image"].tolist() == other["image"].tolist()
    assert (
        one["image"].tolist()
        == [f"{wnid}/{wnid}_{k:03d}.JPEG" for k in (0, 1) for wnid in WNIDS][:9]
    )


def test_a_bad_budget_is_refused_by_the_command_line(cli: Cli) -> None:
    refused = cli("model=toy", PIPELINE, "budget=2 percent")
    assert refused.returncode == 1
    assert "budget=2 percent: give a part" in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr


def test_means_over_parts_of_splits_are_marked_in_every_table(here: Path) -> None:
    corruptions = here / "data" / "imagenet-c"
    for severity in range(1, 6):
        write_pictures(corruptions / "fog" / str(severity), per_class=4, size=32)
    done = run(here, "benchmark=imagenet_c", "budget=25%")
    assert "partial: 25 of 3750000" in done.message
    result = result_of(here / "outputs", "imagenet_c")
    assert result["status"] == "partial"
    assert {name: split["n"] for name, split in result["splits"].items()} == {
        f"fog/{severity}": 5 for severity in range(1, 6)
    }
    text = write_tables(here / "outputs").text
    assert "partial 25/3750000" in text
    rows = pd.read_csv(here / "outputs" / "tables" / "results.csv")
    assert set(rows["status"]) == {"partial"}
    notes = rows.set_index(["split", "metric"])["note"]
    assert notes["fog", "ce"].startswith("partial: 25 of 250000")
    assert notes["fog/3", "error"].startswith("partial: 5 of 50000")
    of_all = rows[rows["split"].isna()]
    assert len(of_all)
    assert of_all["note"].str.startswith("partial: 25 of 250000, splits missing: 70").all()
