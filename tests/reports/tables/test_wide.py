from math import nan
from pathlib import Path

import pytest
from run_factory import failure, run_result, score

from oodbench.reports.tables.wide import DEMO_WARNING, wide_table


def flips(value: float = 0.1) -> dict[str, object]:
    return {"flip_probability": score(value)}


def test_published_order_then_names_then_differences() -> None:
    results = [
        run_result(model, difference=difference)
        for model in ("zebra", "tf_efficientnet_b0", "resnet50", "ant", "moco_v2")
        for difference in (["preprocessing=timm"], [])
    ]
    results.append(run_result("only_other", difference=["attack=pgd"]))
    frame = wide_table(results, [], {}).frame
    order = ["moco_v2", "resnet50", "tf_efficientnet_b0", "ant", "zebra"]
    others = ["moco_v2", "resnet50", "tf_efficientnet_b0", "ant", "only_other", "zebra"]
    assert frame["Model"].tolist() == [
        *order,
        *(f"{m} ({'attack=pgd' if m == 'only_other' else 'preprocessing=timm'})" for m in others),
    ]
    titles = "Model|IN|IN-A|IN-C|IN-P (flip prob.)|Stylized IN|IN-Sketch|Adv. acc."
    assert "|".join(frame.columns) == titles


def test_each_benchmark_stands_in_its_column() -> None:
    results = [
        run_result("m", "imagenet", {"top1": score(0.1), "top5": score(0.9)}),
        run_result("m", "imagenet_a", {"top1": score(0.2), "top1_1000way": score(0.9)}),
        run_result("m", "imagenet_c", {"mce": score(30, unit="percent")}),
        run_result("m", "imagenet_p", {"flip_probability": score(0.4)}),
        run_result("m", "cue_conflict", {"shape_bias": score(0.5), "texture_bias": score(0.9)}),
        run_result("m", "imagenet_sketch", {"top1": score(0.6)}),
        run_result("m", "adversarial", {"adversarial_accuracy": score(0.7)}, attack="pgd_targeted"),
        run_result("m", "my_benchmark", {"mine": score(0.8)}, headline="mine"),
    ]
    table = wide_table(results, [], {})
    cells = table.frame.iloc[0].tolist()
    assert cells == ["m", *(f"{10 * number}.0" for number in range(1, 9))]
    assert table.frame.columns[-1] == "my_benchmark"
    assert table.warning == ""


def test_differences_share_a_row_and_have_nothing_subtracted() -> None:
    other = ["preprocessing=timm"]
    results = [
        run_result("resnet50", "imagenet", {"top1": score(0.8)}, difference=other),
        run_result("resnet50", "imagenet_a", {"top1": score(0.1)}, difference=other),
    ]
    frame = wide_table(results, [], {}).frame
    assert len(frame) == 1
    assert frame.iloc[0].tolist()[:4] == ["resnet50 (preprocessing=timm)", "80.0", "10.0", "–"]


@pytest.mark.parametrize(
    ("older", "newer", "chosen"),
    [
        ({}, {}, "newer"),
        ({}, {"status": "partial"}, "older"),
        ({"status": "partial"}, {"status": "partial"}, "newer"),
        ({"status": "partial", "n_images": 9}, {"status": "partial", "n_images": 8}, "older"),
        ({"demo": True, "n_images": 9}, {"demo": True, "n_images": 8}, "older"),
        ({}, {"demo": True}, "older"),
        ({"status": "partial"}, {"demo": True}, "older"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_choice_between_runs_of_one_cell(
    older: dict[str, object], newer: dict[str, object], chosen: str, turned: bool
) -> None:
    results = [
        run_result("m", scores={"top1": score(0.1)}, key="b", modified=1.0, **older),
        run_result("m", scores={"top1": score(0.2)}, key="a", modified=2.0, **newer),
    ]
    table = wide_table(results[::-1] if turned else results, [], {})
    assert table.frame.loc[0, "IN"].startswith({"older": "10.0", "newer": "20.0"}[chosen])
    assert "results.csv only: 1." in table.caption


def test_failures() -> None:
    failures = [
        failure("m", "imagenet"),
        failure("m", "imagenet_a", difference=["preprocessing=timm"]),
        failure("m", "adversarial", attack="pgd_targeted"),
        failure("m", "imagenet_sketch", difference=["attack=pgd_linf"]),
        failure("done", "imagenet"),
    ]
    table = wide_table([run_result("done"), run_result("m", "cue_conflict")], failures, {})
    frame = table.frame.set_index("Model")
    assert frame.index.tolist() == ["done", "m"]
    assert frame.loc["done", "IN"] == "50.0"
    assert frame.loc["m"].tolist() == ["failed", "–", "–", "–", "–", "–", "failed"]
    assert "failed: " in table.caption
    assert table.caption.endswith("Failed, without a row here: 2 (oodbench-table --failed).")


def test_a_sweep_without_data_leaves_no_rows() -> None:
    failures = [failure(f"m{number}") for number in range(26)]
    table = wide_table([run_result("done")], failures, {})
    assert table.frame["Model"].tolist() == ["done"]
    assert "without a row here: 26" in table.caption


def test_in_p_names_its_metric() -> None:
    one = run_result("one", "imagenet_p", flips(), directory=Path("one"))
    two = run_result("two", "imagenet_p", flips(0.2), directory=Path("two"))
    ratio = {"mfr": score(58.0, unit="percent")}

    plain = wide_table([one, two], [], {})
    assert plain.frame["IN-P (flip prob.)"].tolist() == ["10.0", "20.0"]
    assert "IN-P is the flip probability; lower is better for both" in plain.caption

    both = wide_table([one, two], [], {Path("one"): ratio, Path("two"): ratio})
    assert both.frame["IN-P (mFR)"].tolist() == ["58.0", "58.0"]
    assert "IN-P is mFR" in both.caption

    undefined = {"mfr": score(nan, unit="percent")}
    mixed = wide_table([one, two], [], {Path("one"): ratio, Path("two"): undefined})
    assert mixed.frame["IN-P"].tolist() == ["mFR 58.0", "flip prob. 20.0"]
    assert "as each cell says" in mixed.caption


def test_demo_warning_only_where_a_demo_cell_shows() -> None:
    demo = run_result("resnet50", status="partial", demo=True, modified=2.0, n_expected=50000)
    table = wide_table([demo], [], {})
    assert table.warning == DEMO_WARNING
    assert table.frame.loc[0, "IN"] == "50.0 demo 10"
    assert wide_table([demo, run_result("resnet50")], [], {}).warning == ""


def test_caption_explains_the_marks_that_occur() -> None:
    caption = wide_table([run_result("resnet50", status="partial")], [], {}).caption
    assert "IN-C is mCE" in caption
    for mark in ("pub.: ", "partial: ", "–: "):
        assert mark in caption
    for mark in ("testbed: ", "failed: ", "ext.: ", "other protocol: ", "!: "):
        assert mark not in caption
    report = {"checks": [{"name": "gradient of zero", "verdict": "warn"}]}
    doubted = wide_table([run_result("resnet50", attack_report=report)], [], {})
    assert doubted.frame.loc[0, "IN"].endswith(" !")
    assert "!: checks of the attack warn (oodbench-table --attack-report)." in doubted.caption
