"""The rule by which tests are marked slow: over five seconds, with room for other machines."""

from slow_marks import Cases, wrong_marks


def test_marks_that_do_not_fit_are_listed_the_longest_first() -> None:
    seconds = {
        Cases("quick", marked=False): 0.1,
        Cases("quick and marked", marked=True): 2.4,
        Cases("near", marked=False): 9.9,
        Cases("long", marked=False): 10.1,
        Cases("long and marked", marked=True): 60.0,
        Cases("some cases long", marked=False): 1.0,
        Cases("some cases long", marked=True): 7.0,
    }
    assert wrong_marks(seconds) == [
        "  10.1 s, not marked slow: long",
        "   2.4 s, marked slow: quick and marked",
    ]
