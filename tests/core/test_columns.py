from oodbench.core.columns import aligned


def test_columns_are_as_wide_as_their_longest_cell_and_lines_end_without_blanks() -> None:
    rows = [("name", "n"), ("a", "100"), ("longest", "")]
    assert aligned(rows, right={1}) == ["name       n", "a        100", "longest"]


def test_what_stands_between_the_columns_can_be_chosen() -> None:
    assert aligned([("a", "bc"), ("abc", "b")], between=" | ") == ["a   | bc", "abc | b"]
