"""Models that have seen more than ImageNet-1k are named below the table."""

from run_factory import run_result, score

from oodbench.reports.tables.more_data import trained_on_sentence
from oodbench.reports.tables.wide import wide_table


def test_grouped_by_what_they_have_seen() -> None:
    results = [
        run_result("b", trained_on="JFT"),
        run_result("a", trained_on="JFT"),
        run_result("c", trained_on="hashtags"),
        run_result("plain"),
    ]
    sentence = "Trained on more than ImageNet-1k: JFT (a, b); hashtags (c)."
    assert trained_on_sentence(results) == [sentence]
    assert sentence in wide_table(results, [], {}).caption


def test_nothing_where_no_config_says_so() -> None:
    assert trained_on_sentence([run_result("plain")]) == []
    assert "Trained" not in wide_table([run_result("plain")], [], {}).caption


def test_the_newest_run_speaks_for_the_model() -> None:
    old = run_result("a", trained_on="wrong", modified=1.0, key="1")
    new = run_result("a", trained_on=None, modified=2.0, key="2")
    assert trained_on_sentence([new, old]) == []


def test_what_a_model_has_seen_does_not_split_its_row() -> None:
    results = [
        run_result("a", trained_on="JFT"),
        run_result("a", "imagenet_a", {"top1": score(0.2)}, trained_on=None),
    ]
    assert len(wide_table(results, [], {}).frame) == 1


def test_a_count_that_nobody_says_is_marked() -> None:
    counts = {"n_items": 10, "n": 10, "n_expected": 10, "skipped": [], "is_count_known": False}
    table = wide_table([run_result("m", splits={"": counts})], [], {})
    assert table.frame["IN"].tolist() == ["50.0 count unknown"]
    assert "count unknown: no source says how many pictures there are." in table.caption
