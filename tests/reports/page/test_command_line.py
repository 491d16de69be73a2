"""The command line of a card asks for the run that it is of."""

import shlex

from run_factory import run_result

from oodbench.reports.page.command_line import command_line
from oodbench.runs.key import PIPELINE


def words(**changed: object) -> list[str]:
    line = command_line(run_result(**changed))  # type: ignore[arg-type]
    return shlex.split(line.replace("\\\n", ""))


def test_names_differences_and_the_folder_are_in_it() -> None:
    protocol = {"root": "/data/image net"}
    found = words(
        model="resnet50",
        benchmark="adversarial",
        attack="pgd_linf",
        preprocessing="timm",
        difference=["preprocessing=timm", "attack.eps=4/255", "precision=bf16"],
        config={"benchmark": {"protocol": protocol}, "seed": 7},
    )
    assert found == [
        *("oodbench", "model=resnet50", "benchmark=adversarial", "preprocessing=timm"),
        *("attack=pgd_linf", "attack.eps=4/255", "precision=bf16", "seed=7"),
        "benchmark.root=/data/image net",
    ]


def test_a_pipeline_that_ships_under_no_name_has_all_its_fields() -> None:
    node = {"_target_": PIPELINE, "resize": 240, "crop": None, "interpolation": "bicubic"}
    found = words(difference=["preprocessing.resize=240"], config={"preprocessing": node})
    assert {"++preprocessing.resize=240", "++preprocessing.crop=null"} < set(found)
    assert "preprocessing.resize=240" not in found


def test_a_part_is_asked_for_as_a_part() -> None:
    splits = {"": {"n_items": 40, "n": 39, "n_expected": 50000, "skipped": []}}
    assert words(status="partial", splits=splits)[-1] == "limit=40"
    assert words(demo=True, status="partial", splits=splits)[-1] == "data.allow_partial=true"
