"""Which cells a table shows, in which order, and what they are set against."""

from pathlib import Path

import pytest
from run_factory import failure, run_result, score
from views import view_of

from oodbench.core.errors import ConfigError
from oodbench.reports.tables.view import View
from oodbench.runs.results import RunResult


def table(view: View) -> list[list[str]]:
    return [view.headings, *view.texts()]


@pytest.fixture
def results() -> list[RunResult]:
    top1 = {"resnet50": (0.7, 0.1), "ant": (0.6, 0.3), "bee": (0.8, 0.2)}
    found = []
    for model, (plain, hard) in top1.items():
        found.append(run_result(model, scores={"top1": score(plain), "ece": score(1 - plain)}))
        found.append(run_result(model, "imagenet_a", {"top1": score(hard)}))
    found.append(run_result("ant", "imagenet_c", {"mce": score(60, unit="percent")}))
    found.append(run_result("bee", "imagenet_c", {"mce": score(50, unit="percent")}))
    return found


def test_patterns_of_models_and_benchmarks(results: list[RunResult]) -> None:
    view = view_of(results, models="[ab]*", benchmarks="imagenet_?")
    assert table(view) == [
        ["Model", "IN-A", "IN-C"],
        ["ant", "30.0", "60.0"],
        ["bee", "20.0", "50.0"],
    ]
    assert "IN-C is mCE" in view.caption
    assert "Stylized" not in view.caption


def test_columns_in_the_order_asked_for(results: list[RunResult]) -> None:
    view = view_of(results, columns=("imagenet_c", "in"))
    assert view.headings == ["Model", "IN-C", "IN"]
    assert view.texts()[0] == ["resnet50", "–", "70.0 (pub. 76.1, -6.1)"]
    assert "shape bias" not in view.caption


@pytest.mark.parametrize(
    ("column", "order"),
    [
        ("IN", ["bee", "resnet50", "ant"]),
        ("imagenet_a", ["ant", "bee", "resnet50"]),
        ("IN-C", ["bee", "ant", "resnet50"]),  # lower is better; without a value last
        ("model", ["ant", "bee", "resnet50"]),
    ],
)
def test_sorting_puts_the_best_first(
    results: list[RunResult], column: str, order: list[str]
) -> None:
    assert [row[0] for row in view_of(results, sort=column).texts()] == order


def test_another_metric_shows_where_it_is(results: list[RunResult]) -> None:
    view = view_of(results, metric="ece", sort="IN")
    # Whoever made these scores did not say that lower is better.
    assert table(view)[:2] == [["Model", "IN"], ["ant", "40.0"]]
    assert "The score is ece." in view.caption


def test_rows_by_preprocessing_with_all_names_of_a_run() -> None:
    first = run_result("ant", scores={"top1": score(0.5)}, directory=Path("first"))
    second = run_result(
        "ant",
        scores={"top1": score(0.6)},
        key="b",
        preprocessing="squash",
        difference=["preprocessing=squash"],
    )
    third = run_result(
        "ant", key="c", difference=["preprocessing.resize=300", "attack=pgd"], attack="pgd"
    )
    view = view_of(
        [first, second, third], by="preprocessing", names={Path("first"): ["timm"]}, columns=("IN",)
    )
    assert table(view) == [
        ["Model", "Preprocessing", "IN"],
        ["ant", "published", "50.0"],
        ["ant", "squash", "60.0"],
        ["ant", "timm", "50.0"],
        ["ant (attack=pgd)", "resize=300", "50.0"],
    ]
    assert "Older" not in view.caption


def test_rows_by_attack_and_engine() -> None:
    runs = [
        run_result("ant"),
        run_result("ant", key="b", attack="pgd", difference=["attack=pgd", "attack.eps=0.1"]),
        run_result("ant", key="c", difference=["engine.precision=fp16"]),
    ]
    by_attack = [row[:2] for row in view_of(runs, by="attack").texts()]
    assert by_attack == [
        ["ant", "none"],
        ["ant", "pgd, eps=0.1"],
        ["ant (engine.precision=fp16)", "none"],
    ]
    by_engine = [row[:2] for row in view_of(runs, by="engine").texts()]
    assert by_engine[:2] == [["ant", "as shipped"], ["ant", "precision=fp16"]]


def test_a_failure_stands_in_its_row_by_preprocessing() -> None:
    failed = failure("ant", "imagenet_a", difference=["preprocessing=squash"])
    runs = [run_result("ant", difference=["preprocessing=squash"], preprocessing="squash")]
    view = view_of(runs, failures=(failed,), by="preprocessing", columns=("IN", "IN-A"))
    assert view.texts() == [["ant", "squash", "50.0", "failed"]]


def test_against_published_values() -> None:
    runs = [
        run_result("resnet50", scores={"top1": score(0.7713, 0.76, 0.78)}),
        run_result("resnet50", "imagenet_a", {"top1": score(0.5)}, status="partial"),
        run_result("mine"),
    ]
    view = view_of(runs, against="published")
    # 76.1 was published on IN, 0.0 on IN-A.
    assert view.headings[:2] == ["Model", "IN"]
    assert len(view.rows) == 1
    assert view.texts()[0][1] == "+1.0 [-0.1, +1.9]"
    moved = view.rows[0].cells[0].difference
    assert moved is not None
    assert moved.reference == pytest.approx(0.761)
    assert view.caption.startswith("Differences from published values, in points")


def test_against_a_model_of_the_same_row() -> None:
    other = {"difference": ["preprocessing=timm"], "preprocessing": "timm"}
    runs = [
        run_result("ant", scores={"top1": score(0.5, 0.4, 0.6)}),
        run_result("bee", scores={"top1": score(0.7, 0.6, 0.8)}),
        run_result("bee", scores={"top1": score(0.9)}, key="b", **other),
    ]
    view = view_of(runs, against="ant", models="bee")
    # By Newcombe's rule: 0.2 -+ the hypotenuse of both half widths, 0.1 each.
    assert view.texts() == [["bee", "+20.0 [+5.9, +34.1] ~"]]
    assert "(~)" in view.caption


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"models": "wasp"}, r"no finished run is of these; models: ant, bee, resnet50"),
        ({"metric": "none"}, r"--metric none: no run has it; there are: ece, mce, top1"),
        ({"sort": "nix"}, r"--sort nix: no such column; there are: IN, IN-A"),
        ({"columns": ("IN", "nix")}, r"--columns nix: no such column"),
        ({"against": "wasp"}, r"--against wasp: no run shown here is of it; models: ant"),
        ({"against": "ant", "models": "ant"}, r"--against ant: no other model has a run"),
        ({"against": "published", "models": "ant"}, r"--against published: no run shown here"),
    ],
)
def test_what_is_not_there_is_named(
    results: list[RunResult], asked: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        view_of(results, **asked)


def test_many_names_are_not_listed_all() -> None:
    with pytest.raises(ConfigError, match=r"m18, m19 and 5 more; benchmarks: imagenet$"):
        view_of([run_result(f"m{number:02}") for number in range(25)], models="x")
