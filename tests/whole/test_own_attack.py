"""An attack of the user's own, called as one of ours, from the run to the report."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from configs import composed
from torch import Tensor, nn

from oodbench.attacks.base import AttackResult
from oodbench.core.schema import ModelConfig, WeightsConfig
from oodbench.evaluation.execute import execute
from oodbench.reports.attacks.text import report_text
from oodbench.runs.plan import make_plan
from oodbench.runs.results import RunResult, read_results

FREE = "gradient-free attack finds no more"
PGD = {
    "_target_": "oodbench.attacks.pgd.PGD",
    "name": "pgd_linf",
    "eps": 0.001,
    "step_size": 0.001,
    "iterations": 1,
}


class Square:
    """Goes to the edge of its ball and says that it has won."""

    norm = "linf"

    def __init__(self, *, name: str, reach: float, needs_gradients: bool) -> None:
        self.name = name
        self.eps = reach
        self.needs_gradients = needs_gradients

    def __call__(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, seeds: list[int]
    ) -> AttackResult:
        moved = (images + self.eps).clamp(0, 1)
        return AttackResult(moved, torch.ones_like(labels).bool(), torch.ones_like(labels))


def run(toy: Path, attack: dict[str, Any]) -> RunResult:
    config = composed(
        "benchmark=adversarial",
        "preprocessing=timm",
        "model.input_size=32",
        "engine=eager",
        "data.allow_partial=true",
        "limit=4",
        f"data.root={toy}/data",
        f"output_root={toy}/outputs",
    )
    config.model = ModelConfig(
        name="toy",
        input_size=32,
        network={"_target_": "toy_network.Toy"},
        weights=WeightsConfig(identity="toy-v1"),
    )
    config.attack = attack
    result = execute(make_plan(config))
    assert result is not None
    return result


@pytest.mark.parametrize("needs_gradients", [True, False])
def test_an_attack_called_square_is_taken_for_what_it_says(
    toy: Path, monkeypatch: pytest.MonkeyPatch, needs_gradients: bool
) -> None:
    monkeypatch.syspath_prepend(str(toy))
    mine = {"_target_": f"{__name__}.Square", "name": "square", "reach": 0.001}
    run(toy, PGD)
    own = run(toy, {**mine, "needs_gradients": needs_gradients})
    stored = json.loads((own.directory / "result.json").read_text())["attack_traits"]
    assert (stored["eps"], stored["needs_gradients"]) == (0.001, needs_gradients)
    ours, theirs = sorted(
        report_text(read_results(toy / "outputs").results).split("\n\n"),
        key=lambda t: "pgd_linf (" not in t,
    )
    if needs_gradients:
        assert f"not checked  {FREE}" in ours
        assert FREE in theirs
    else:
        assert f"{FREE}: " in ours
        assert f"(run {own.key})" in ours
        assert FREE not in theirs
