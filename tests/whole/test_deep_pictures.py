"""Runs on pictures of more than 8 bits a channel: counted, noted, scaled where it is asked for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from toys import WNIDS, Cli

from oodbench.runs.records import read_split

DEEP = [f"{WNIDS[0]}/{WNIDS[0]}_000.JPEG", f"{WNIDS[2]}/{WNIDS[2]}_003.JPEG"]
CUT_OFF = (
    "2 pictures of more than 8 bits a channel: values above 255 are cut off, as torchvision does; "
    "data.deep_pictures=scale scales them"
)
SCALED = "2 pictures of more than 8 bits a channel, scaled to 8 bits: data.deep_pictures=scale"


@pytest.fixture
def deep(toy: Path) -> Path:
    """Two pictures of the validation set with 16 bits; a twin of each with 8 bits beside it."""
    for name in DEEP:
        path = toy / "data" / "imagenet" / "val" / name
        grey = np.asarray(Image.open(path).convert("L"))
        Image.fromarray(grey.astype(np.uint16) * 257).save(path, "PNG")
        twin = toy / "eight" / "imagenet" / "val" / name
        twin.parent.mkdir(parents=True)
        Image.fromarray(grey).save(twin, "PNG")
    return toy


def results(folder: Path) -> list[tuple[dict[str, Any], Path]]:
    paths = sorted(folder.glob("outputs/runs/*/*/*/result.json"), key=lambda p: p.stat().st_mtime)
    return [(json.loads(path.read_text()), path.parent) for path in paths]


def test_they_are_counted_once_and_scaled_where_asked_for(deep: Path, cli: Cli) -> None:
    done = cli("model=toy", "engine=eager")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(CUT_OFF) == 1
    scaled = cli("model=toy", "engine=eager", "data.deep_pictures=scale")
    assert SCALED in scaled.stdout
    assert CUT_OFF in cli("model=toy", "engine=eager").stdout  # done already
    eight = cli("model=toy", "engine=eager", "data.root=eight", "output_root=outputs")
    assert "8 bits" not in eight.stdout
    (one, there), (other, elsewhere), (_, as_eight) = results(deep)
    assert (one["notes"], one["difference"]) == ([CUT_OFF], [])
    assert (other["notes"], other["difference"]) == ([SCALED], ["data.deep_pictures=scale"])
    columns = ["image", "prediction", "confidence"]
    records = {
        name: read_split(folder / "records", "")[columns].set_index("image")
        for name, folder in (("cut", there), ("scaled", elsewhere), ("eight", as_eight))
    }
    for name in DEEP:  # of 8 bits there are two in a batch: the last bits differ
        right, cut = records["eight"].loc[name], records["cut"].loc[name]
        assert records["scaled"].loc[name].tolist() == pytest.approx(right.tolist(), abs=1e-4)
        assert cut.tolist() != pytest.approx(right.tolist(), abs=1e-3)
    rest = records["cut"].drop(DEEP)
    assert rest.equals(records["scaled"].drop(DEEP))


@pytest.mark.parametrize(
    "how", [["data.cache=memory"], ["data.loader=processes", "data.workers=2"], ["data.workers=3"]]
)
def test_caches_loaders_and_raised_limits_count_the_same(
    deep: Path, cli: Cli, how: list[str]
) -> None:
    """The first is the first of its class, the second comes after 15 pictures."""
    common = ["model=toy", "engine=eager", *how]
    first = cli(*common, "limit=15")
    assert first.stdout.count("1 picture of more than 8 bits a channel: ") == 1
    assert (
        cli(*common, "benchmark.version=2").stdout.count(CUT_OFF) == 1
    )  # filled, read, or neither
    assert cli(*common, "benchmark.chunk_size=7").stdout.count(CUT_OFF) == 1
    assert cli(*common).stdout.count(CUT_OFF) == 1


def test_pictures_made_while_loading(deep: Path, cli: Cli) -> None:
    common = ["model=toy", "engine=eager", "benchmark=imagenet_c_generated", "limit=1"]
    done = cli(*common, "+benchmark.protocol.corruptions=[contrast]", "preprocessing=timm")
    assert done.returncode == 0, done.stdout
    assert "5 pictures of more than 8 bits a channel: " in done.stdout  # one at five severities
