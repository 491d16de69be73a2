"""The page in a real Chromium: it works, asks for nothing, and needs neither eyes nor a mouse."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from report_toys import HOSTILE, SAID, store_everything

from measurements.report_runs import store_published_table
from oodbench.reports.page.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip("playwright.sync_api", reason="no playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@dataclass
class Opened:
    """A page, and what it has said and asked for."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        yield running
        running.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("outputs")
    store_everything(root)
    write_report(root, root / "report.html")
    return root / "report.html"


def opened(browser: Any, report: Path, width: int = 1280, scheme: str = "light") -> Opened:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(10_000)
    found = Opened(context.new_page())
    found.page.on("console", lambda message: found.said.append(message.text))
    found.page.on("pageerror", lambda error: found.said.append(str(error)))
    found.page.on("request", lambda request: found.asked.append(request.url))
    found.page.goto(report.as_uri())
    return found


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    found = opened(browser, report)
    yield found.page
    assert found.said == []
    asked = {url for url in found.asked if not url.startswith("data:")}
    assert asked == {report.as_uri()}
    found.page.context.close()


def models(page: Any) -> list[str]:
    """Of the rows that are seen, in their order."""
    rows = page.locator("#results tbody tr:visible .name")
    return list(rows.all_text_contents())


def numbers(page: Any, column: int) -> list[float]:
    """Of a column, those that are seen, in their order; columns count from 1."""
    cells = page.locator(f"#results tbody tr:visible td:nth-child({column}) .v")
    return [float(text) for text in cells.all_text_contents()]


def test_columns_sort_by_value_and_say_so(page: Any) -> None:
    before = models(page)
    head = page.get_by_role("columnheader", name="IN", exact=True)
    press = head.get_by_role("button")
    press.focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    values = [
        float(text)
        for text in page.locator("#results tbody td:nth-child(2) .v").all_text_contents()
    ]
    assert values == sorted(values, reverse=True)
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    values = [
        float(text)
        for text in page.locator("#results tbody td:nth-child(2) .v").all_text_contents()
    ]
    assert values == sorted(values)
    page.keyboard.press("Enter")
    assert (head.get_attribute("aria-sort"), models(page)) == ("none", before)


def test_rows_are_filtered_by_model_and_cells_by_status(page: Any) -> None:
    box = page.get_by_role("searchbox", name="Model")
    box.fill("MYNET")
    assert models(page) == ["mynet"]
    assert page.locator("#filter-count").text_content() == "1 of 4 rows"
    box.fill("")
    for status in ("complete", "partial", "extension", "failed"):
        page.get_by_role("checkbox", name=status).uncheck()
    assert models(page) == ["mynet"]
    hidden = page.locator("#results tbody tr:visible td.extension").get_attribute("aria-hidden")
    assert hidden == "true"
    page.get_by_role("checkbox", name="demo").uncheck()
    assert models(page) == []


def test_a_number_tells_pointer_keyboard_and_screen_reader_the_same(page: Any) -> None:
    link = page.locator("#results td.partial a")
    tip = page.locator("#tip")
    assert tip.is_hidden()
    link.hover()
    assert tip.is_visible()
    assert "40 of 7500, partial" in tip.text_content()
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    link.focus()
    assert tip.is_visible()
    description = page.locator(f"#{link.get_attribute('aria-describedby')}").text_content()
    assert "".join(tip.text_content().split()) == "".join(description.split())
    beside = page.locator("#results tbody tr", has_text="resnet50").first.locator("td a").first
    beside.focus()
    assert "published" in tip.text_content()


def test_a_number_leads_to_the_card_of_its_run_and_back(page: Any) -> None:
    link = page.locator("#results tbody tr").filter(has_text=HOSTILE).locator("td a")
    link.focus()
    page.keyboard.press("Enter")
    card = page.get_by_role("dialog")
    card.wait_for()
    text = card.text_content()
    assert card.get_by_role("heading", level=2).text_content() == f"{HOSTILE} × imagenet"
    for said in ("b40000000000", "oodbench", "sha256:1", "model=", SAID.split("\n")[0]):
        assert said in text
    assert page.locator("img").count() == 0
    page.keyboard.press("Escape")
    card.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.getAttribute('href')").startswith("#run-")
    assert "#run-" not in page.url
    page.locator("#section-1").wait_for()
    page.evaluate("location.hash = '#run-0'")
    card.wait_for()
    card.get_by_role("button", name="Close").click()
    card.wait_for(state="hidden")


def test_light_and_dark_are_the_systems_or_the_readers(
    page: Any, browser: Any, report: Path
) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Switch between light and dark").click()
    dark = page.evaluate(ground)
    assert light != dark
    page.reload()
    assert page.evaluate(ground) == dark
    other = opened(browser, report, scheme="dark")
    assert other.page.evaluate(ground) == dark
    other.page.context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_no_serious_fault_of_access(browser: Any, report: Path, width: int, scheme: str) -> None:
    found = opened(browser, report, width, scheme)
    page = found.page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(page, "body") == []
    page.evaluate("location.hash = '#run-0'")
    page.get_by_role("dialog").wait_for()
    assert serious(page, "#card") == []
    assert found.said == []
    page.context.close()


def serious(page: Any, part: str) -> list[str]:
    """Faults of a part of the page that axe-core calls serious or critical.

    Drawings count as pictures: what is in them is not looked at.
    """
    within = {"include": [[part]], "exclude": [["svg > *"]]}
    found = axe.Axe().run(page, within, {"resultTypes": ["violations"]}).response
    return [
        f"{fault['id']}: {node['html'][:200]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def test_every_figure_has_a_name_and_its_numbers(page: Any) -> None:
    figures = page.locator("figure")
    assert figures.count() >= 3
    names = page.locator("figure svg").evaluate_all(
        "all => all.map(one => [one.getAttribute('role'), one.getAttribute('aria-label')])"
    )
    assert [role for role, _ in names] == ["img"] * figures.count()
    assert all(len(name) > 20 for _, name in names)
    assert page.locator("figure table").count() == figures.count()


def test_without_scripts_and_on_paper_the_numbers_are_there(browser: Any, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator("#results .v").first.is_visible()
    assert page.get_by_text("need JavaScript").is_visible()
    assert page.locator("#filters").is_hidden()
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
    assert page.locator("#results .v").first.is_visible()
    context.close()


@pytest.mark.slow
def test_the_published_table(browser: Any, tmp_path: Path) -> None:
    """26 models on seven benchmarks."""
    store_published_table(tmp_path)
    page_file = tmp_path / "report.html"
    found = write_report(tmp_path, page_file)
    assert list(found.problems) == []
    assert page_file.stat().st_size < 8e6
    shown = opened(browser, page_file)
    page = shown.page
    assert page.locator("#results tbody tr").count() == 26
    assert page.locator("#results td a").count() == 182
    page.get_by_role("searchbox", name="Model").fill("resnext")
    assert len(models(page)) == 5
    page.get_by_role("button", name="IN-C").click()
    values = numbers(page, 4)
    assert values == sorted(values)  # of errors the lowest comes first
    head = page.locator("#results thead").bounding_box()
    page.locator(".scroll").first.evaluate("box => box.scrollTop = 300")
    assert page.locator("#results thead th").first.bounding_box()["y"] == head["y"]
    assert shown.said == []
    page.context.close()
