from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import pytest
from run_factory import failure, run_result, score

from oodbench.metrics.attack_traits import AttackTraits
from oodbench.reports.tables.long import long_table

COLUMNS = (
    "model,benchmark,preprocessing,attack,eps,norm,"
    "square_crop,resize,crop,resize_after_crop,interpolation,"
    "split,metric,value,low,high,n,n_expected,unit,"
    "published,source,key,status,difference,note,in_table,trained_on"
)


def test_bytes_by_hand() -> None:
    result = run_result(scores={"top1": score(0.1 + 0.2, 0.25, 0.35), "top5": score(nan, n=0)})
    shown = {(result.directory, "top1")}
    text = long_table([result], [failure("mynet", key="0f")], {}, shown).to_csv(index=False)
    assert text.splitlines() == [
        COLUMNS,
        "mynet,imagenet,published,none,,,,,,,,,,,,,,,,,,0f,failed,,,False,",
        "resnet50,imagenet,published,none,,,,,,,,,top1,0.30000000000000004,0.25,0.35,10,10,fraction,"
        "0.761,published,000000000001,complete,,,True,",
        "resnet50,imagenet,published,none,,,,,,,,,top5,,,,0,10,fraction,,,000000000001,complete,,,"
        "False,",
    ]


def test_the_radius_of_an_attack_has_columns() -> None:
    traits = [
        AttackTraits(eps=8 / 255),
        AttackTraits(eps=0.06),
        AttackTraits(eps=0.5, norm="l2"),
        AttackTraits(norm="l2"),
        None,
    ]
    results = [run_result(f"m{n}", attack_traits=given) for n, given in enumerate(traits)]
    table = long_table(results, [], {})
    expected = [("8/255", "linf"), ("0.06", "linf"), ("0.5", "l2"), ("", ""), ("", "")]
    assert list(zip(table["eps"], table["norm"], strict=True)) == expected


def test_the_pipeline_has_columns() -> None:
    """What every one of 32 runs with other sizes, all called `published`, did."""
    steps = {"resize": [8, 9], "crop": 7, "interpolation": "bicubic", "name": "published"}
    node = {"_target_": "oodbench.preprocessing.Preprocessing", **steps}
    other = {"_target_": "mine.Transform", "resize": 3}
    results = [
        run_result("a", config={"preprocessing": node}),
        run_result("b", config={"preprocessing": other}),
    ]
    fields = ["square_crop", "resize", "crop", "resize_after_crop", "interpolation"]
    table = long_table(results, [], {})[fields]
    assert table.iloc[0].tolist() == ["false", "[8,9]", "7", "", "bicubic"]
    assert table.iloc[1].isna().all()


def test_a_run_of_two_names_is_there_under_both() -> None:
    result = run_result("resnet50")
    table = long_table([result], [], {}, (), {result.directory: ["timm"]})
    assert table["preprocessing"].tolist() == ["published", "timm"]
    assert table["value"].tolist() == [0.5, 0.5]


def test_order_of_the_runs_does_not_matter() -> None:
    results = [
        run_result(model, benchmark, key=key, difference=difference)
        for model in ("b", "a")
        for benchmark in ("imagenet_a", "imagenet")
        for key in ("2", "1")
        for difference in (["preprocessing=timm"], [])
    ]
    failures = [failure("b"), failure("a")]
    one = long_table(results, failures, {})
    other = long_table(results[::-1], failures[::-1], {})
    assert one.to_csv(index=False) == other.to_csv(index=False)
    assert one["model"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, "complete"),
        ({"status": "partial"}, "partial"),
        ({"status": "partial", "demo": True, "extension": True}, "demo"),
        ({"extension": True}, "extension"),
        ({"status": "partial", "extension": True}, "partial"),
    ],
)
def test_status(changed: dict[str, object], status: str) -> None:
    assert long_table([run_result(**changed)], [], {})["status"].tolist() == [status]


@pytest.mark.parametrize("changed", [{"demo": True}, {"difference": ["attack=pgd"]}])
def test_nothing_published_beside_what_was_done_otherwise(changed: dict[str, object]) -> None:
    table = long_table([run_result(**changed)], [], {})
    assert table["published"].isna().all()
    assert table["source"].tolist() == [""]


def test_splits_and_their_counts() -> None:
    splits = {f"fog/{severity}": {"n": 50, "n_expected": 50} for severity in (1, 2)}
    scores = {
        "": {"mce": score(70.0, unit="percent")},
        "fog": {"ce": score(71.0, unit="percent")},
        "fog/1": {"error": score(0.5)},
        "cat": {"shape_bias": score(0.5)},
    }
    result = replace(run_result("resnet50", "imagenet_c", splits=splits), scores=scores)
    table = long_table([result], [], {}).set_index("split")
    assert table["n_expected"].isna().to_dict() == {
        "": False,
        "cat": True,
        "fog": False,
        "fog/1": False,
    }
    assert table["n_expected"].dropna().tolist() == [50, 50, 50]
    assert table.loc["", "published"] == pytest.approx(78.2017, abs=1e-4)
    assert table.loc["", "source"] == "imagenet-testbed, other protocol"
    assert table["published"].notna().sum() == 1


def test_derived_scores_stand_beside_the_run_s_own() -> None:
    result = run_result("mynet", "imagenet_c", {"mce": score(70.0, unit="percent")})
    derived = {result.directory: {"relative_mce": score(90.0, unit="percent")}}
    table = long_table([result, run_result("other", directory=Path("x"))], [], derived)
    mine = table[table["model"] == "mynet"]
    assert mine.set_index("metric")["value"].to_dict() == {"mce": 70.0, "relative_mce": 90.0}
    assert mine["split"].tolist() == ["", ""]


def test_checks_of_the_attack_that_warn_are_in_the_note() -> None:
    verdicts = {"gradient of zero": "warn", "loss moved the wrong way": "pass"}
    checks = [{"name": name, "verdict": verdict} for name, verdict in verdicts.items()]
    scores = {"top1": replace(score(0.5), note="a note")}
    (note,) = long_table([run_result(scores=scores, attack_report={"checks": checks})], [], {}).note
    assert note == "the attack's checks warn: gradient of zero; a note"


def test_scores_of_a_part_say_so_and_of_how_many() -> None:
    # A 2 % run of two splits of which one picture could not be read, and one split that is missing.
    splits: dict[str, dict[str, Any]] = {
        "fog/1": {"n": 20, "n_expected": 1000},
        "snow/1": {
            "n": 19,
            "n_expected": 1000,
            "skipped": [{"image": "a.jpg", "reason": "cut short"}],
        },
    }
    scores = {
        "": {"mce": score(70.0, unit="percent"), "mean_error": replace(score(0.5), note="a note")},
        "fog": {"ce": score(71.0, unit="percent")},
        "fog/1": {"error": score(0.5)},
        "snow/1": {"error": score(0.5)},
    }
    result = replace(
        run_result("resnet50", "imagenet_c", splits=splits, status="partial"),
        scores=scores,
        missing_splits=["snow/2"],
    )
    table = long_table([result], [], {}).set_index(["split", "metric"])
    skipped = "skipped, could not be read: 1"
    assert table["note"].to_dict() == {
        ("", "mce"): f"partial: 39 of 2000, splits missing: 1; {skipped}",
        ("", "mean_error"): f"partial: 39 of 2000, splits missing: 1; {skipped}; a note",
        ("fog", "ce"): "partial: 20 of 1000",
        ("fog/1", "error"): "partial: 20 of 1000",
        ("snow/1", "error"): f"partial: 19 of 1000; {skipped}",
    }
    assert set(table["status"]) == {"partial"}


def test_a_count_that_nobody_says_is_empty() -> None:
    counts = {"n_items": 10, "n": 10, "n_expected": 10, "skipped": [], "is_count_known": False}
    table = long_table([run_result(splits={"": counts})], [], {})
    assert table["n_expected"].isna().all()
    assert table["status"].tolist() == ["complete"]


def test_what_a_model_has_seen() -> None:
    table = long_table([run_result("a", trained_on="LAION-2B"), run_result("b")], [], {})
    assert table["trained_on"].tolist() == ["LAION-2B", ""]
