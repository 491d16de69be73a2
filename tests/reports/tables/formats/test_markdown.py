import re

from views import ODD, odd_view

from oodbench.reports.tables.formats.markdown import text_of


def test_every_row_has_as_many_cells_whatever_names_there_are() -> None:
    lines = text_of(odd_view(columns=("imagenet",))).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 + 2 * len(ODD)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}
    assert not [line for line in lines if "<script" in line]


def test_the_best_are_bold() -> None:
    text = text_of(odd_view(best=True, columns=("imagenet",)))
    assert text.count("| **5") == len(ODD)  # intervals of 80 points tell nothing apart
