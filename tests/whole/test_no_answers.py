"""Networks of users that do not answer, or not the picture alone, on the command line."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from toys import TOY_MODULE, WNIDS, Cli

from oodbench.reference import imagenet_wnids

FORWARD = "return self.head(self.pool(x).flatten(1))"
STOP = f"{WNIDS[1]}/{WNIDS[1]}_002.JPEG"


def results(folder: Path) -> list[dict[str, Any]]:
    paths = sorted(folder.glob("outputs/runs/*/*/*/result.json"), key=lambda p: p.stat().st_mtime)
    return [json.loads(path.read_text()) for path in paths]


def change(folder: Path, forward: str) -> None:
    (folder / "toy_network.py").write_text(TOY_MODULE.replace(FORWARD, forward))


@pytest.mark.parametrize(
    "readout",
    [
        "oodbench.readouts.Standard",
        "oodbench.readouts.ImageNetASubset",
        "oodbench.readouts.ShapeCategories",
    ],
)
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_the_run_stops_at_the_picture(toy: Path, cli: Cli, readout: str, value: str) -> None:
    """Its neighbour in the order, of another class, has the grey that the network cannot bear."""
    change(
        toy,
        "logits = self.head(self.pool(x).flatten(1)); "
        f"logits[x.mean((1, 2, 3)) < -1.9, 3] = float('{value}'); return logits",
    )
    picture = toy / "data" / "imagenet" / "val" / STOP
    from PIL import Image

    Image.new("RGB", (40, 40)).save(picture)
    done = cli("model=toy", f"+benchmark.protocol.readout._target_={readout}", "preprocessing=timm")
    assert done.returncode == 1
    name = "NaN" if value == "nan" else "+inf"
    assert f"{STOP}: 1 of its 1000 logits are {name}, which is no answer: try" in done.stderr
    assert results(toy) == []


def test_a_network_in_training_mode_is_refused_or_marked(toy: Path, cli: Cli) -> None:
    change(
        toy,
        "self.train(); return nn.functional.dropout(self.head(self.pool(x).flatten(1)), "
        "training=self.training)",
    )
    refused = cli("model=toy")
    assert refused.returncode == 1
    assert "model toy: its outputs depend on chance: one moves by" in refused.stderr
    allowed = cli("model=toy", "model.allow_unstable=true", "engine=eager")
    assert allowed.returncode == 0
    change(toy, FORWARD)
    assert cli("model=toy").returncode == 0
    marked, sound = results(toy)
    assert marked["difference"] == ["model.allow_unstable=true"]
    assert marked["notes"] == ["allow_unstable: outputs may depend on chance and on the batch size"]
    assert (sound["difference"], sound["notes"]) == ([], [])
    assert marked["key"] != sound["key"]


def test_a_success_by_chance_is_none(toy: Path, cli: Cli) -> None:
    # The dropout of two classes only, other at every pass: each is right half of the time.
    change(
        toy,
        "self.n = getattr(self, 'n', 0) + 1; noise = torch.Generator().manual_seed(self.n); "
        "two = 99 * (torch.rand(len(x), 1000, generator=noise) + 1) * (torch.arange(1000) < 2); "
        "return self.head(self.pool(x).flatten(1)) + two",
    )
    arguments = ("benchmark=adversarial", "attack=pgd_linf", "preprocessing=timm", "engine=eager")
    done = cli("model=toy", "model.allow_unstable=true", *arguments)
    assert done.returncode == 0, done.stdout
    (result,) = results(toy)
    (chunk,) = toy.glob("outputs/runs/*/*/*/records/*.parquet")
    records = pd.read_parquet(chunk)
    wrong = records["prediction"] != records["label"]
    assert (wrong | ~records["attack_succeeded"]).all()
    contradicted = records["attack_contradicted"]
    assert 0 < contradicted.sum() < len(records)
    rate = result["scores"][""]["attack_success_rate"]["value"]
    assert rate == records["attack_succeeded"].mean()
    name = "successes that the scored prediction contradicts"
    (check,) = (check for check in result["attack_report"]["checks"] if check["name"] == name)
    assert (check["verdict"], check["figure"]) == ("warn", contradicted.mean())
    assert check["detail"].startswith(f"{contradicted.sum()} of {len(records)} pictures")


def test_classes_without_output_are_not_among_the_five_best(toy: Path, cli: Cli) -> None:
    """Two outputs, the classes 0 and 3: a picture of class 1 or 2 was counted as among the best."""
    (toy / "classes.txt").write_text(f"{WNIDS[0]}\n{WNIDS[3]}\n")
    assert imagenet_wnids()[3] == WNIDS[3]
    (toy / "toy_network.py").write_text(TOY_MODULE.replace("1000", "2"))
    assert cli("model=toy", "model.classes=classes.txt").returncode == 0
    (found,) = results(toy)
    # Each of five classes has a fifth of the pictures; both outputs are always among the five.
    assert found["scores"][""]["top5"]["value"] == 0.4
    (chunk,) = toy.glob("outputs/runs/*/*/*/records/*.parquet")
    records = pd.read_parquet(chunk)
    assert {tuple(sorted(row)) for row in records["top5"]} == {(-1, -1, -1, 0, 3)}
