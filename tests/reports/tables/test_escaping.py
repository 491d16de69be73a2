"""Text that a spreadsheet would compute, or Markdown would not show."""

import pandas as pd
import pytest

from oodbench.reports.tables.escaping import for_csv, for_markdown


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1"])
def test_no_text_is_a_formula(text: str) -> None:
    table = for_csv(pd.DataFrame({"a": [text]}))
    assert table.loc[0, "a"] == f"'{text}"


def test_numbers_and_other_text_stay() -> None:
    table = pd.DataFrame({"a": ["a=b", "– partial"], "b": [-1.5, 2.0], "c": [None, "x-1"]})
    pd.testing.assert_frame_equal(for_csv(table), table)


def test_markdown_shows_text_as_it_is() -> None:
    text = for_markdown("a|b `c` *d* <e> [f](g)\nh \\i")
    assert text == r"a\|b \`c\` \*d\* &lt;e> [f]\(g) h \\i"
    assert for_markdown("mynet (model.mean=[0.5,0.5])") == "mynet (model.mean=[0.5,0.5])"
