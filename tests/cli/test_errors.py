"""`oodbench-errors` on real files: text, CSV, JSON, sheet and page."""

import base64
import csv
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container_files import Pack, as_tar, as_zip
from PIL import Image
from run_factory import run_result, store, store_records

from oodbench.cli.errors import main
from oodbench.reports.mistakes import gallery

ODD = '<script>alert("&")</script>'
FOLDER = "oodbench.benchmarks.folder.FolderBenchmark"
COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


def stored(
    root: Path,
    model: str,
    key: str,
    prediction: list[int],
    images: list[str],
    data: Path | None = None,
) -> None:
    n = len(images)
    counts = {"n_items": n, "n": n, "n_expected": n, "skipped": []}
    data = data or root / "data" / "imagenet" / "val"
    protocol = {"_target_": FOLDER, "root": str(data), "n_expected": n}
    config = {"benchmark": {"protocol": protocol}}
    result = run_result(model, key=key, splits={"": counts}, n_images=n, config=config, demo=True)
    columns = {
        "image": images,
        "split": [""] * n,
        "frame": [0] * n,
        "label": [0] * n,
        "prediction": prediction,
        "confidence": [0.25, 0.75, 0.5][:n],
    }
    store_records(store(result, root / "outputs"), "", columns)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command where two models have answered for three pictures, of which one is gone."""
    images = ["n01440764/one.png", "n01440764/=two.png", f"n01440764/{ODD.replace('/', '')}.png"]
    folder = tmp_path / "data" / "imagenet" / "val" / "n01440764"
    folder.mkdir(parents=True)
    for name, colour in zip(images, COLOURS, strict=True):
        Image.new("RGB", (600, 300), colour).save(folder / Path(name).name)
    (folder / "=two.png").unlink()
    stored(tmp_path, "alpha", "a" * 12, [1, 2, 3], images)
    stored(tmp_path, "beta", "b" * 12, [0, 2, 3], images)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main(list(arguments))


def test_text(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("alpha") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "alpha × imagenet  [demo data]: 3 of 3 wrong"
    assert lines[1].split() == ["true", "predicted", "picture"]
    assert lines[2].startswith("  tench  great white shark (75.0 %)")
    assert lines[2].endswith("n01440764/=two.png (gone)")
    assert lines[4].endswith("n01440764/one.png")
    assert len(lines) == 5


def test_csv_and_json(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("alpha", "beta", "--csv", "-") == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["image"], row["true"]) == ("n01440764/one.png", "tench")
    assert (row["predicted"], row["right"], row["predicted_b"], row["right_b"]) == (
        *("goldfish", "False"),
        *("tench", "True"),
    )
    assert run("alpha", "--json", "-", "--top", "2") == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["found"], one["scored"], one["keys"]) == (3, 3, ["a" * 12])
    assert [picture["is_there"] for picture in one["pictures"]] == [False, True]
    assert [picture["confidence"] for picture in one["pictures"]] == [0.75, 0.5]


def test_sheet(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("alpha", "--sheet", "sheet.png", "--size", "64") == 0
    with Image.open("sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).reshape(-1, 3)
        assert sheet.width < 6 * 80
    counts = [int((pixels == colour).all(axis=1).sum()) for colour in COLOURS]
    assert counts == [64 * 32, 0, 64 * 32]  # whole pictures, none cropped
    assert run("beta", "--class", "goldfish", "--sheet", "none.png") == 0
    assert "none.png: not written: no picture" in capsys.readouterr().err


class _Page(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page(run: Callable[..., int]) -> None:
    assert run("alpha", "beta", "--html", "flips.html") == 0
    assert run("alpha", "--html", "page.html", "--size", "100") == 0
    page = _Page(Path("page.html").read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert ODD.replace("/", "") in page.text
    assert "it is gone" in page.text
    assert len(page.addresses) == 2
    for address in page.addresses:
        kind, _, content = address.partition(",")
        assert kind == "data:image/jpeg;base64"
        with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
            assert picture.size == (100, 50)
    assert not re.search(r"https?://", Path("page.html").read_text(encoding="utf-8"))
    flips = _Page(Path("flips.html").read_text(encoding="utf-8")).text
    assert "goldfish (25.0 %), wrong" in flips
    assert "tench (25.0 %), right" in flips


def test_a_full_page_says_what_it_leaves_out(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("alpha", "--html", "whole.html") == 0
    whole = _Page(Path("whole.html").read_text(encoding="utf-8")).addresses
    monkeypatch.setattr(gallery, "_MOST", len(whole[0]) + 10)
    assert run("alpha", "--html", "page.html") == 0
    page = _Page(Path("page.html").read_text(encoding="utf-8"))
    assert page.addresses == whole[:1]
    assert page.text.count("the page is full") == 1


def test_another_data_root(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data").rename("moved")
    assert run("beta") == 0
    assert capsys.readouterr().out.count("(gone)") == 2
    assert run("beta", "--data-root", "moved") == 0
    out = capsys.readouterr().out
    assert out.count("(gone)") == 1
    assert "moved/imagenet/val/n01440764" in out


@pytest.mark.parametrize("pack", [as_zip, as_tar])
def test_pictures_in_a_container(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], pack: Pack
) -> None:
    packed = pack(tmp_path / "data" / "imagenet" / "val", tmp_path / "packed")
    images = ["n01440764/one.png", "n01440764/=two.png"]
    stored(tmp_path, "gamma", "c" * 12, [1, 2], images, packed)
    assert run("gamma", "--html", "page.html") == 0
    assert capsys.readouterr().out.count("(gone)") == 1
    assert len(_Page(Path("page.html").read_text(encoding="utf-8")).addresses) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--outputs", "nowhere"], "no finished run below nowhere"),
        (["gamma"], "gamma: no finished run"),
        (["--class", "goldfsh"], "close names: goldfish"),
    ],
)
def test_errors(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(*arguments) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [("--top", "0"), ("--size", "9999"), ("--html", ".")])
def test_wrong_arguments(run: Callable[..., int], wrong: tuple[Any, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*wrong)
    assert ended.value.code == 2


def test_nothing_wrong_is_said(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--benchmarks", "imagenet_a") == 0
    assert "no picture" in capsys.readouterr().out
    assert run("--benchmarks", "imagenet_a", "--html", "page.html", "--csv", "-") == 0
    assert capsys.readouterr().out.startswith("benchmark,model,key")
