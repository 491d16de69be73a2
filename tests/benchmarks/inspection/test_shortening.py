"""The first of every kind of problem is shown, however many there are of others."""

from oodbench.benchmarks.inspection.finding import Problem
from oodbench.benchmarks.inspection.shortening import shortened


def problem(said: str) -> Problem:
    return Problem("place", said, "mend")


def test_a_rare_kind_is_shown() -> None:
    many = [problem(f"{n} files instead of 50,000") for n in range(30)]
    rare = problem("224x256 pixels (height x width) instead of 224x224")
    assert shortened([*many, rare], 3) == [*many[:2], rare]


def test_kinds_differ_in_more_than_numbers_and_names() -> None:
    problems = [problem(f"{n} files of 0 bytes: {n}.JPEG") for n in range(3)]
    assert shortened([*problems, problem("2 parts missing: fog")], 2) == [
        problems[0],
        problem("2 parts missing: fog"),
    ]


def test_few_are_shown_as_they_are() -> None:
    problems = [problem(said) for said in ("b", "a", "b")]
    assert shortened(problems, 20) == problems
    assert shortened([], 20) == []
