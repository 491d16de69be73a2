from dataclasses import replace

import pytest
from figure_runs import attacked

from oodbench.metrics.attack_traits import AttackTraits
from oodbench.metrics.diagnostics.radius_curve import RadiusCurve
from oodbench.reports.figures.attacks import attacks
from oodbench.reports.figures.each_benchmark import each_benchmark
from oodbench.reports.figures.marks import shown_runs
from oodbench.runs.summaries.summary import Summary


def by_name(*runs, summaries=None):
    found = each_benchmark(attacks, shown_runs(runs), summaries or {})
    return {figure.name: figure for figure in found}


def test_iterations_and_the_checks():
    found = by_name(attacked("mynet", "00000000000a", 0.06, 300))
    figure = found["attack_iterations_adversarial"]
    assert figure.table["iterations"].tolist() == [0, 1, 2]
    assert figure.table["accuracy (%)"].tolist() == pytest.approx([90, 70, 30])
    assert "Checks of the attack that warn: gradient of zero (mynet)." in figure.caption
    passing = attacked("mynet", "00000000000a", 0.06, 300)
    passing = replace(passing, attack_report={**passing.attack_report, "checks": []})
    assert "No check of the attack warns." in by_name(passing)[figure.name].caption


def test_runs_of_several_radii_are_one_curve():
    found = by_name(
        attacked("mynet", "00000000000a", 0.06, 300), attacked("mynet", "00000000000b", 0.03, 500)
    )["attack_radius_linf_adversarial"]
    assert found.table["eps"].tolist() == [0, 0.03, 0.06]
    assert found.table["accuracy (%)"].tolist() == pytest.approx([90, 50, 30])


def test_one_radius_is_no_curve_and_other_steps_are_another():
    one = attacked("mynet", "00000000000a", 0.06, 300)
    other = attacked("mynet", "00000000000b", 0.03, 500)
    other = replace(other, config={"attack": {"_target_": "pgd", "eps": 0.03, "steps": 9}})
    assert "attack_radius_linf_adversarial" not in by_name(one, other)


def test_an_attack_without_a_radius_gives_a_curve_alone():
    run = attacked("mynet", "00000000000a", 0.0, 300, attack_traits=AttackTraits(norm="l2"))
    summary = Summary(10, radius=RadiusCurve("l2", [0.0, 0.5], [0.9, 0.2]))
    found = by_name(run, summaries={run.directory: summary})["attack_radius_l2_adversarial"]
    assert found.table["eps"].tolist() == [0, 0.5]
    assert found.table["accuracy (%)"].tolist() == [90, 20]
