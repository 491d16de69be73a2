"""The rule by which tests are marked slow: over five seconds, with room for other machines."""

from slow_marks import wrong_marks


def test_marks_that_do_not_fit_are_listed_the_longest_first() -> None:
    seconds = {"quick": 0.1, "marked quick": 2.4, "near": 9.9, "long": 10.1, "marked long": 60.0}
    assert wrong_marks(seconds, {"marked quick", "marked long"}) == [
        "  10.1 s, not marked slow: long",
        "   2.4 s, marked slow: marked quick",
    ]
