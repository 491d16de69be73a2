"""The report on records small enough to count by hand."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from oodbench.metrics.attack_checks import (
    AttackReport,
    Check,
    Finding,
    attack_report,
    judged,
    resists_within,
    rules,
    strictly_accurate,
    wrong_after,
)
from oodbench.metrics.attack_traits import AttackTraits

ATTACK = AttackTraits(eps=0.06)
LAST_ALONE = AttackTraits(eps=0.06, judges_last_iterate=True)
FALLING = "still falling at the last iteration"
LOSS = "loss moved the wrong way"
ZERO = "gradient of zero"
ANYWAY = "failures that are misclassified anyway"
NO_GRADIENT = "broken without gradients alone"
CONFIRMED = "successes that the scored prediction contradicts"

# Targeted attack of 20 iterations; label 0, target 5. In words: clean prediction, prediction under
# attack, success, iterations, first error, loss of the target before and after, zero gradient.
TARGETED = [
    (0, 5, True, 2, 1, 8.0, 0.5, False),
    (0, 5, True, 19, 4, 8.0, 0.6, False),  # in the last tenth
    (0, 5, True, 18, 18, 8.0, 0.6, False),  # just before it
    (0, 0, False, 20, 7, 8.0, 3.0, False),  # misclassified on the way
    (0, 0, False, 20, -1, 8.0, 8.5, False),  # further from the target
    (0, 0, False, 20, -1, 8.0, 8.0005, True),  # no further than rounding goes
    (3, 3, False, 20, 0, 8.0, 2.0, False),  # wrong from the start
    (5, 5, True, 0, 0, 0.2, 0.2, False),  # at the target from the start: not attacked
    (3, 0, False, 20, 0, 8.0, 7.0, False),  # wrong from the start, right in the end
    (0, 0, False, 20, 20, 8.0, 2.0, False),  # misclassified at the very end
]
COLUMNS = (
    *("clean_prediction", "prediction", "attack_succeeded", "attack_iterations", "first_error"),
    *("clean_loss", "attack_loss", "zero_gradient"),
)


def records(rows: list[tuple[Any, ...]] = TARGETED, **changed: Any) -> pd.DataFrame:
    fixed = {"label": 0, "target": 5, "attack_contradicted": False}
    return pd.DataFrame(rows, columns=list(COLUMNS)).assign(**fixed | changed)


def by_name(report: AttackReport) -> dict[str, Check]:
    return {check.name: check for check in report.checks}


def test_the_two_rules() -> None:
    report = attack_report(records(), ATTACK)
    # Published: rows 4, 5, 6, 9 and 10. Strict: 5 and 6, the others were misclassified once.
    assert (report.accuracy.value, report.accuracy.n) == (5 / 10, 10)
    assert (report.strict_accuracy.value, report.strict_accuracy.n) == (2 / 10, 10)
    assert strictly_accurate(records()).tolist() == [row in (4, 5) for row in range(10)]
    never = 2**63 - 1
    published = [2, 19, 18, never, never, never, 0, 0, never, never]
    assert wrong_after(records()).tolist() == published
    strict = [1, 4, 18, 7, never, never, 0, 0, 0, 20]
    assert wrong_after(records(), strict=True).tolist() == strict


def test_accuracy_after_every_iteration() -> None:
    report = attack_report(records(), ATTACK)
    assert report.iterations == list(range(21))
    # Published: 8 right, one lost at 2, 18 and 19 each.
    assert report.accuracy_after == [0.8] * 2 + [0.7] * 16 + [0.6, 0.5, 0.5]
    # Strict: 7 right, lost at 1, 4, 7, 18 and 20.
    expected = [0.7] + [0.6] * 3 + [0.5] * 3 + [0.4] * 11 + [0.3] * 2 + [0.2]
    assert report.strict_accuracy_after == expected


def test_long_curves_have_a_hundred_steps() -> None:
    rows = [(0, 5, True, 500, 500, 1, 0, False), (0, 0, False, 1000, -1, 1, 0, False)]
    report = attack_report(records(rows), ATTACK)
    assert report.iterations == list(range(0, 1001, 10))
    assert report.accuracy_after == [1.0] * 50 + [0.5] * 51


def test_checks_by_hand() -> None:
    checks = by_name(attack_report(records(), ATTACK))
    assert list(checks) == [FALLING, LOSS, ZERO, ANYWAY, CONFIRMED]
    # After iteration 18 of 20: one by the published rule (19), one by the strict one (20).
    assert checks[FALLING].figure == 1 / 10
    assert checks[FALLING].verdict == "warn"
    assert "10.0 % by the published rule and 10.0 % by the strict rule" in checks[FALLING].detail
    assert checks[LOSS].figure == 1 / 9
    assert checks[LOSS].detail.startswith("1 of 9 pictures; cross entropy of the target")
    assert checks[ZERO].figure == 1 / 9
    assert checks[ANYWAY].figure == 3 / 10
    assert "50.0 % by the published rule, 20.0 % by the strict one" in checks[ANYWAY].detail
    assert checks[CONFIRMED].figure == 0
    assert {checks[name].verdict for name in (FALLING, LOSS, ZERO, ANYWAY)} == {"warn"}


def test_successes_that_were_contradicted() -> None:
    flags = [row in (3, 5) for row in range(10)]
    check = by_name(attack_report(records(attack_contradicted=flags), ATTACK))[CONFIRMED]
    assert (check.figure, check.verdict) == (2 / 10, "warn")
    assert check.detail == "2 of 10 pictures, which count as failures."


def test_a_gradient_that_vanishes_later_counts_where_the_attack_failed() -> None:
    steps = [3, 0, 0, 2, 20, 20, 0, 0, 0, 0]  # of row 0 before its success, of row 5 from the start
    check = by_name(attack_report(records(steps_without_gradient=steps), ATTACK))[ZERO]
    assert check.figure == 3 / 9
    assert (
        check.detail
        == "1 of 9 pictures at the first step; at a later step of 2 more that resisted."
    )


def test_the_loss_of_an_untargeted_attack_is_to_rise() -> None:
    rows = [
        (0, 5, True, 3, 3, 0.5, 2.0, False),
        (0, 0, False, 9, -1, 0.5, 0.4, False),
        (0, 0, False, 9, -1, 0.5, 0.4995, False),
        (0, 0, False, 9, -1, 0.5, 0.6, False),
    ]
    check = by_name(attack_report(records(rows).drop(columns="target"), ATTACK))[LOSS]
    assert (check.figure, check.verdict) == (1 / 4, "warn")
    assert "of the label, which is to rise" in check.detail


@pytest.mark.parametrize("found", [1e-9, 0.9e-5])
def test_a_small_loss_can_move_the_wrong_way_too(found: float) -> None:
    # Clean cross entropy 1e-5, as that of a sure prediction: what it can lose is below 1e-3.
    rows = [(0, 0, False, 9, -1, 1e-5, found, False), (0, 0, False, 9, -1, 1e-5, 2e-5, False)]
    check = by_name(attack_report(records(rows).drop(columns="target"), ATTACK))[LOSS]
    assert check.figure == 1 / 2
    same = [(0, 0, False, 9, -1, 1e-5, 1e-5 + 1e-8, False)]
    check = by_name(attack_report(records(same).drop(columns="target"), ATTACK))[LOSS]
    assert check.figure == 0


def test_a_loss_that_never_came_nearer() -> None:
    # Returned is the clean picture, so that the loss at the end says nothing.
    rows = [
        (0, 5, True, 3, 3, 0.5, 2.0, False),
        (0, 0, False, 9, -1, 0.5, 0.5, False),
        (0, 0, False, 9, -1, 0.5, 0.5, False),
        (3, 3, True, 0, 0, 0.5, 0.5, False),  # not attacked
    ]
    few = records(rows, loss_stuck=[True, True, False, True]).drop(columns="target")
    check = by_name(attack_report(few, ATTACK))[LOSS]
    assert (check.figure, check.verdict) == (1 / 3, "warn")
    assert "1 of 3 pictures resisted, and some run never came nearer" in check.detail
    unknown = few.drop(columns=["attack_loss", "clean_loss"])
    assert by_name(attack_report(unknown, ATTACK))[LOSS].figure == 1 / 3


def test_pictures_that_no_gradient_has_broken() -> None:
    traits = AttackTraits(eps=0.06, gradient_free_part=True)
    assert NO_GRADIENT not in by_name(attack_report(records(), ATTACK))
    assert by_name(attack_report(records(), traits))[NO_GRADIENT].verdict == "not checked"
    broken_by = [1, 1, 4, -1, -1, -1, 2, 0, 4, 1]
    found = records(broken_by=broken_by, broken_without_gradients=[n == 4 for n in broken_by])
    check = by_name(attack_report(found, traits))[NO_GRADIENT]
    assert (check.figure, check.verdict) == (2 / 10, "warn")
    assert check.detail == "2 of 10 pictures (3 by part 1, 1 by part 2, 2 by part 4)."


def test_a_success_beyond_a_radius_is_none_within() -> None:
    # Of the ten pictures 5 and 6 resist; 7, 8 and 9 were wrong before the attack.
    found = records(l2=[0.1, 0.2, 0.3] + 7 * [0.0])
    expected = [False, True, True, False, True, True, False, False, False, False]
    assert resists_within(found, "l2", 0.15).tolist() == expected
    assert (resists_within(found, "l2", 1.0) == strictly_accurate(found)).all()


def test_a_converged_attack_passes() -> None:
    rows = [(0, 5, True, 3, 3, 1.0, 0.5, False)] * 5 + [(0, 0, False, 10, -1, 1, 0.5, False)]
    checks = by_name(attack_report(records(rows), ATTACK))
    assert {check.verdict for check in checks.values()} == {"pass"}
    assert {check.figure for check in checks.values()} == {0.0}


def test_where_every_picture_is_lost_the_longest_success_is_no_end() -> None:
    rows = [(0, 5, True, count, count, 1.0, 0.5, False) for count in (1, 2, 3)]
    check = by_name(attack_report(records(rows), ATTACK))[FALLING]
    assert (check.figure, check.verdict) == (0.0, "pass")


def test_an_attack_without_early_stop_has_the_strict_curve_alone() -> None:
    rows = [
        (0, 5, True, 10, 2, 1.0, 0.5, False),
        (0, 5, True, 10, 10, 1.0, 0.5, False),
        (0, 0, False, 10, -1, 1.0, 0.5, False),
        (0, 0, False, 10, -1, 1.0, 0.5, False),
    ]
    check = by_name(attack_report(records(rows), LAST_ALONE))[FALLING]
    assert (check.figure, check.detail) == (
        1 / 4,
        "After iteration 9 of 10: 25.0 % by the strict rule.",
    )
    bare = records(rows).drop(columns="first_error")
    report = attack_report(bare, LAST_ALONE)
    assert by_name(report)[FALLING].verdict == "not checked"
    assert (report.iterations, report.accuracy_after) == ([0, 10], [1.0, 0.5])


def test_what_an_attack_does_not_record_is_not_checked() -> None:
    lacking = ["first_error", "clean_loss", "attack_loss", "zero_gradient", "attack_contradicted"]
    few = records().drop(columns=lacking)
    checks = by_name(attack_report(few, ATTACK))
    verdicts = {name: check.verdict for name, check in checks.items()}
    assert {name for name, verdict in verdicts.items() if verdict == "warn"} == {FALLING, ANYWAY}
    assert {verdicts[name] for name in (LOSS, ZERO, CONFIRMED)} == {"not checked"}
    # Known is only that row 9 was wrong before the attack.
    assert checks[ANYWAY].figure == 1 / 10


def test_the_gradients_of_a_transfer_attack_are_those_on_its_source() -> None:
    transferred = AttackTraits(eps=0.06, needs_gradients=False, on_scored_network=False)
    seen = records(
        source_succeeded=[True, True, *[False] * 8],
        source_zero_gradient=[row in (2, 7) for row in range(10)],
        source_steps_without_gradient=[2, 0, 0, 4, 0, 0, 0, 0, 0, 0],
        source_loss_stuck=[True, False, False, False, True, False, False, False, False, False],
    ).drop(columns="zero_gradient")
    checks = by_name(attack_report(seen, transferred))
    # Row 8 was not attacked; of row 1 the attack on the source succeeded.
    assert (checks[ZERO].figure, checks[LOSS].figure) == (2 / 9, 1 / 9)


def test_a_run_that_began_before_a_column_was_recorded() -> None:
    flags = [None] * 5 + [True] * 5
    mixed = records(loss_stuck=flags, attack_contradicted=flags, steps_without_gradient=flags)
    checks = by_name(attack_report(mixed.assign(left_out=None), ATTACK))
    assert checks[CONFIRMED].verdict == "not checked"
    assert (checks[LOSS].figure, checks[ZERO].figure) == (1 / 9, 1 / 9)


def test_nothing_attacked() -> None:
    checks = by_name(attack_report(records([TARGETED[7]]), ATTACK))
    assert checks[LOSS].verdict == checks[ZERO].verdict == "not checked"
    assert checks[LOSS].detail == "No picture was attacked: all were at the goal before."


def test_one_iteration_has_no_curve() -> None:
    rows = [(0, 5, True, 1, 1, 1.0, 0.5, False), (0, 0, False, 1, -1, 1.0, 0.5, False)]
    assert by_name(attack_report(records(rows), ATTACK))[FALLING].verdict == "not checked"


def test_checks_that_say_nothing_about_an_attack_are_left_out() -> None:
    transferred = AttackTraits(eps=0.06, on_scored_network=False)
    checks = by_name(attack_report(records(), transferred))
    assert list(checks) == [LOSS, ZERO, CONFIRMED]
    assert (checks[LOSS].verdict, checks[ZERO].verdict) == ("not checked", "not checked")
    assert FALLING not in by_name(attack_report(records(), AttackTraits(eps=None)))


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [(None, "not checked"), (0.55 - 0.3, "pass"), (0.2501, "warn"), (-1.0, "pass")],
)
def test_above_the_threshold_is_a_warning(figure: float | None, verdict: str) -> None:
    rule = replace(rules()[LOSS], threshold=0.25)
    check = judged(rule, Finding(figure, "because", "oodbench x=y"))
    assert (check.verdict, check.figure, check.threshold) == (verdict, figure, 0.25)
    assert (check.detail, check.command) == ("because", "oodbench x=y")
    assert (check.explanation, check.paper) == (rule.meaning, rule.paper)


def test_every_rule_needs_traits_that_there_are() -> None:
    known = {name for name in dir(AttackTraits()) if not name.startswith("_")}
    assert {name for rule in rules().values() for name in rule.needs} <= known
    whole = AttackTraits(eps=0.06, gradient_free_part=True)
    assert all(rule.applies_to(whole) for rule in rules().values())


def test_every_rule_has_a_paper_and_says_what_its_figure_means() -> None:
    assert all("arXiv:" in rule.paper and "threshold" in rule.meaning for rule in rules().values())
    assert len(rules()) == 11
