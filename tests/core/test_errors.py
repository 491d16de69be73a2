import pytest

from oodbench.core.errors import (
    DataError,
    DiskError,
    MemoryShortage,
    cause_of,
    failure_line,
    first_line,
    one_line,
    visible,
)


def test_everything_on_one_line() -> None:
    assert one_line(ValueError("a\n  b\tc")) == "a b c"
    assert one_line(ValueError()) == "ValueError"


def test_what_is_too_long_is_cut_and_shows_it() -> None:
    assert one_line(ValueError("abcdef"), 4) == "abc…"
    assert one_line(ValueError("abcd"), 4) == "abcd"


def test_only_the_first_line() -> None:
    assert first_line(ValueError("\n a\nb")) == "a"
    assert first_line(KeyboardInterrupt()) == "KeyboardInterrupt"


def test_a_failure_names_its_class_unless_the_message_was_written_for_users() -> None:
    assert failure_line(DataError("x: missing\nmore")) == "x: missing"
    assert failure_line(ValueError("bad")) == "ValueError: bad"
    assert failure_line(RuntimeError()) == "RuntimeError"


def test_control_characters_are_shown() -> None:
    assert visible("a\nb\x1b[31m\udcff\tä") == r"a\nb\x1b[31m\udcff\tä"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (MemoryShortage("engine.device=cuda:0: out of memory"), "memory"),
        (MemoryError(), "memory"),
        (DiskError("x: Input/output error, after 7 attempts"), "disk"),
        (DataError("x: missing"), "mistake"),
        (PermissionError(13, "Permission denied", "outputs"), "mistake"),
        (OSError(5, "Input/output error", "data"), "fault"),
        (ZeroDivisionError(), "fault"),
    ],
)
def test_why_a_run_failed(error: BaseException, cause: str) -> None:
    assert cause_of(error) == cause
