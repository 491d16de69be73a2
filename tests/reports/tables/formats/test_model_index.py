"""The block of a model card, read by the Hugging Face hub's own code."""

import yaml
from huggingface_hub import ModelCard
from run_factory import run_result, score
from views import ODD, odd_view, view_of

from oodbench.reports.tables.formats.model_index import text_of


def test_the_hub_reads_the_results() -> None:
    runs = [
        run_result("ant", scores={"top1": score(0.512345678, 0.5, 0.52, n=50)}),
        run_result("ant", "imagenet_a", {"top1": score(0.25)}, status="partial", n_expected=7500),
        run_result("ant", key="b", difference=["preprocessing=timm"]),
        run_result("ant", "imagenet_c", {"mce": score(64.2, unit="percent")}, demo=True),
    ]
    card = ModelCard(text_of(view_of(runs)) + "# ant\n")
    found = card.data.eval_results
    assert found is not None
    assert card.data.model_name == "ant"
    assert [(one.dataset_type, one.metric_type, one.metric_value) for one in found] == [
        ("imagenet", "top1", 51.2346),
        ("imagenet_a", "top1", 25.0),
        ("imagenet_c", "mce", 64.2),
        ("imagenet", "top1", 50.0),
    ]
    assert [one.dataset_name for one in found] == [
        "IN",
        "IN-A (partial 10/7500)",
        "IN-C (demo 10)",
        "IN (preprocessing=timm)",
    ]
    assert found[0].metric_args == {"confidence_interval_95": [50.0, 52.0], "n": 50}
    assert {one.task_type for one in found} == {"image-classification"}


def test_names_stay_text() -> None:
    (content,) = [part for part in yaml.safe_load_all(text_of(odd_view())) if part]
    assert [entry["name"] for entry in content["model-index"]] == sorted(ODD)


def test_cells_without_a_value_are_left_out() -> None:
    run = run_result("ant", scores={"top1": score(float("nan"))})
    assert yaml.safe_load(text_of(view_of([run])).strip("-\n")) == {"model-index": []}
