from run_factory import run_result, score
from views import odd_view, view_of

from oodbench.reports.tables.formats.terminal import text_of
from oodbench.reports.tables.show import shown_text


def test_a_block_a_row_and_broken_captions() -> None:
    runs = [
        run_result("ant", scores={"top1": score(0.5, 0.4, 0.6)}, demo=True),
        run_result("ant", "imagenet_c", {"mce": score(64.2, unit="percent")}),
        run_result("bee", scores={"top1": score(0.1, 0.0, 0.2)}),
    ]
    view = view_of(runs, best=True)
    lines = text_of(view, 40).splitlines()
    assert lines[:2] == ["DEMO DATA: these numbers are not", "comparable with published ones."]
    assert lines[3:6] == ["ant", "  IN    50.0 [40.0, 60.0] demo 10 *", "  IN-C  64.2 *"]
    assert lines[7:9] == ["bee", "  IN  10.0 [0.0, 20.0] *"]
    assert max(map(len, lines)) <= 40
    assert "*: the best of a column" in " ".join(lines)


def test_blocks_only_where_the_table_is_too_wide() -> None:
    view = odd_view(columns=("imagenet",))
    assert shown_text(view, None, None).startswith("| Model")
    assert shown_text(view, None, 1000).startswith("| Model")
    narrow = shown_text(view, None, 30)
    assert "|\n" not in narrow
    assert r"two\nlines\tand\r\x1b[31m" in narrow
    assert shown_text(view, "md", 30).startswith("| Model")
