from html.parser import HTMLParser

from views import ODD, odd_view

from oodbench.core.errors import visible
from oodbench.reports.tables.formats.html import text_of


class Page(HTMLParser):
    """The texts of the cells, the tags and what has bold."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.bold: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data
        if "b" in self.open:
            self.bold.append(data)


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    return page


def test_a_parser_finds_the_table_and_nothing_of_the_names() -> None:
    view = odd_view()
    page = parsed(text_of(view))
    assert page.open == []
    assert "script" not in page.tags
    rows = [[visible(text) for text in row] for row in [view.headings, *view.texts()]]
    assert page.rows == rows
    assert {row[0] for row in page.rows} >= {visible(name) for name in ODD}


def test_best_cells_are_bold_and_nothing_is_loaded() -> None:
    text = text_of(odd_view(best=True, columns=("imagenet",)))
    page = parsed(text)
    assert page.bold == [row[1] for row in page.rows[1:] if row[1] != "–"]
    assert page.tags.isdisjoint({"link", "img", "iframe"})
    assert "http" not in text
    assert "Bold: the best of a column" in text
