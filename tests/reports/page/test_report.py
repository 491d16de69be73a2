"""The report as a whole: one file that holds everything, and no text of a user's as markup."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from shutil import rmtree

import pytest
from report_toys import HOSTILE, SAID, store_everything
from run_factory import failure, run_result, score, store, store_failure

from oodbench.core.errors import DataError
from oodbench.reports.page.report import write_report


class Read(HTMLParser):
    """Elements, attributes and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = tmp_path_factory.mktemp("outputs")
    store_everything(root)
    page = root / "report.html"
    found = write_report(root, page)
    assert found.is_new
    assert list(found.problems) == []
    return root, page.read_text("utf-8")


def test_what_users_wrote_stays_text(made: tuple[Path, str]) -> None:
    page = Read(made[1])
    assert page.tags.count("script") == 2
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert HOSTILE in page.text
    assert SAID.replace("\n", r"\n").replace("\x00", r"\x00") in page.text
    (block,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', made[1], re.S)
    assert SAID in json.loads(block)["texts"]


def test_nothing_is_asked_of_a_network(made: tuple[Path, str]) -> None:
    page = Read(made[1])
    found = {value for name, value in page.attributes if name in ("src", "href", "xlink:href")}
    assert all(value.startswith(("#", "data:image/png")) for value in found)
    (policy,) = (value for _, value in page.attributes if value.startswith("default-src"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_facts_marks_spread_costs_and_failures_are_there(made: tuple[Path, str]) -> None:
    page = Read(made[1])
    text = " ".join(page.text.split())
    assert "3 models on 3 benchmarks" in text
    for fact in (
        "finished runs6",
        "complete3",
        "extensions1",
        "partial1",
        "on demo data1",
        "failed1",
    ):
        assert fact in text
    assert "partial 40/7500" in text
    assert "The preprocessing moves the score by 15.0 points" in text
    assert "8.0 s" in text
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    places = {value[1:] for name, value in page.attributes if name == "href"}
    assert {place for place in places if not place.startswith("run-")} <= set(ids)
    figures = [value for name, value in page.attributes if value.startswith("spread_")]
    assert figures  # in the section of the spreads, which is named alike
    assert text.count("Choices that move the numbers") == 2


@pytest.mark.slow
def test_the_same_runs_give_the_same_page_without_being_read_again(
    made: tuple[Path, str], tmp_path: Path
) -> None:
    root = made[0]
    page = root / "report.html"
    again = write_report(root, tmp_path / "other.html")
    assert again.is_new
    assert again.page.read_text("utf-8") == made[1]
    assert write_report(root, tmp_path / "other.html").is_new is False
    for folder in root.glob("runs/*/*/*/records"):
        rmtree(folder)
    page.write_text("changed")
    assert write_report(root, page).is_new
    assert page.read_text("utf-8") == made[1]
    store(run_result("another", scores={"top1": score(0.5)}, key="f"), root)
    found = write_report(root, page)
    assert found.is_new
    assert any("records" in line for line in found.problems)
    assert "another" in page.read_text("utf-8")


def test_no_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no finished run below"):
        write_report(tmp_path, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_failures_alone_are_a_page(tmp_path: Path) -> None:
    store_failure(failure("mynet", error="no weights"), tmp_path)
    write_report(tmp_path, tmp_path / "report.html")
    page = Read((tmp_path / "report.html").read_text("utf-8"))
    assert "1 run failed, none finished" in page.text
    assert "no weights" in page.text
    assert page.tags.count("table") == 1


def test_one_cell_of_a_model_without_the_standard_set(tmp_path: Path) -> None:
    summary_free = run_result("only", "imagenet_sketch", {"top1": score(0.25, 0.2, 0.3)})
    store(summary_free, tmp_path)
    found = write_report(tmp_path, tmp_path / "report.html")
    page = Read((tmp_path / "report.html").read_text("utf-8"))
    assert "only on imagenet_sketch" in page.text
    assert "25.0" in page.text
    assert len(found.problems) == 1  # it has no records to make a summary of
