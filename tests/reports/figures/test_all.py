import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from figure_runs import HOSTILE, accuracy_run, keep, sweep
from run_factory import run_result, store

from oodbench.core.errors import DataError
from oodbench.reports.figures.all import all_figures
from oodbench.reports.figures.style import styled
from oodbench.reports.figures.svg import svg
from oodbench.runs.results import read_results


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    return all_figures(sweep(tmp_path_factory.mktemp("outputs"), ["resnet50", "mynet"]))


def test_every_kind_is_there(figures):
    kinds = (
        *("effective_robustness_imagenet_sketch", "effective_robustness_imagenet_a"),
        *("parts_imagenet_c", "severities_imagenet_c", "shape_bias_cue_conflict"),
        *("error_consistency_people_cue_conflict", "error_consistency_models_cue_conflict"),
        *("reliability_imagenet", "risk_coverage_imagenet", "attack_iterations_adversarial"),
        *("attack_radius_linf_adversarial", "spread_preprocessing_imagenet", "cost"),
    )
    assert set(kinds) <= {figure.name for figure in figures}


def test_every_figure_is_whole(figures):
    names = [figure.name for figure in figures]
    assert len(set(names)) == len(names)
    for figure in figures:
        assert re.fullmatch(r"[a-z0-9_]+", figure.name)
        for text in (figure.section, figure.title, figure.caption, figure.description):
            assert text.strip() == text
            assert text
            assert "nan" not in text.split()
        assert figure.caption.endswith(".")
        assert figure.description.endswith(".")
        assert any(mark.isdigit() for mark in figure.description)
        assert len(figure.table)


@pytest.mark.slow
def test_every_drawing_keeps_its_letters_inside(figures):
    """No text of any drawing is cut off at its border."""
    for figure in figures:
        with styled(figure.name):
            drawing = figure.draw()
            drawing.draw_without_rendering()
            width, height = drawing.bbox.width, drawing.bbox.height
            for axes in drawing.axes:
                box = axes.get_tightbbox()
                assert box.x0 >= -1, figure.name
                assert box.y0 >= -1, figure.name
                assert box.x1 <= width + 1, figure.name
                assert box.y1 <= height + 1, figure.name


@pytest.mark.slow
def test_hostile_names_stay_text(tmp_path):
    results = [run for run in sweep(tmp_path, ["mynet", "other"]) if run.benchmark != "imagenet_a"]
    name = HOSTILE.replace("\n", " ")
    renamed = [run if run.model == "other" else replace(run, model=name) for run in results]
    shown = ""
    for figure in all_figures(renamed):
        root = ET.fromstring(svg(figure))
        shown += "".join(root.itertext())
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert tags <= {"svg", "g", "defs", "path", "use", "text", "tspan", "title"} | {
            "clipPath",
            "rect",
            "image",
        }
    assert "<b>" in shown


def test_marked_runs_are_said(tmp_path):
    for changed, words in (
        ({"demo": True}, "demo data"),
        ({"status": "partial"}, "partial runs"),
        ({"extension": True}, "extensions"),
    ):
        root = tmp_path / words.replace(" ", "_")
        for figure in all_figures(sweep(root, ["resnet50", "mynet"], **changed)):
            if figure.name != "cost":
                assert words in figure.caption, figure.name


@pytest.mark.slow
def test_many_models_are_drawn(tmp_path):
    models = [f"model_{k}" for k in range(8)]
    figures = {figure.name: figure for figure in all_figures(sweep(tmp_path, models))}
    for name in ("parts_imagenet_c", "shape_bias_cue_conflict", "reliability_imagenet_sketch"):
        ET.fromstring(svg(figures[name]))
    assert "6 others" in svg(figures["risk_coverage_imagenet_sketch"])


def test_little_or_nothing(tmp_path):
    assert all_figures([]) == []
    keep(accuracy_run("mynet", "imagenet_a", 0), tmp_path)
    assert [figure.name for figure in all_figures(read_results(tmp_path).results)] == ["cost"]
    keep(accuracy_run("mynet", "imagenet_a_clean", 1000), tmp_path)
    for figure in all_figures(read_results(tmp_path).results):
        ET.fromstring(svg(figure))


def test_a_run_without_records_is_left_out(tmp_path: Path):
    store(run_result("mynet"), tmp_path)
    keep(accuracy_run("other", "imagenet", 500), tmp_path)
    results = read_results(tmp_path).results
    problems: list[str] = []
    assert all_figures(results, problems)
    assert len(problems) == 1
    assert "mynet" in problems[0]
    with pytest.raises(DataError, match="missing"):
        all_figures(results)
