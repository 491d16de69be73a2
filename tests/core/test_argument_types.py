"""Values of configs and the type hints of what takes them."""

from collections.abc import Sequence
from typing import Any, Literal

import pytest

from oodbench.core.argument_types import expected, hints
from oodbench.core.building import build
from oodbench.core.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        *((3, int), (3.0, int), (3, float), (0.5, float), ("a", str), (True, bool), (None, None)),
        *((None, int | None), (3, int | Sequence[int]), ([3, 4], int | Sequence[int])),
        *(([], list[str]), ([], list), ({"a": 1}, dict[str, Any]), ("b", Literal["a", "b"])),
        *(("x", Any), ([1], object), ({"_target_": "a"}, pytest.Config), (1, Sequence[int] | Any)),
    ],
)
def test_values_that_fit(value: Any, hint: Any) -> None:
    assert expected(value, type(None) if hint is None else hint) == ""


@pytest.mark.parametrize(
    ("value", "hint", "words"),
    [
        (True, int, "an integer"),
        (True, float, "a number"),
        (1, bool, "true or false"),
        (1.5, int, "an integer"),
        ("3", int | None, "an integer or null"),
        (3, str, "text"),
        (None, str, "text"),
        (["a"], int | Sequence[int] | None, "an integer, a list of integers or null"),
        ("ab", Sequence[str], "a list of texts"),
        ([1], dict[str, int], "a mapping"),
        ("c", Literal["a", "b"], "one of a, b"),
    ],
)
def test_values_that_do_not(value: Any, hint: Any, words: str) -> None:
    assert expected(value, hint) == words


def takes(size: int, *, name: "str" = "", more: Any = None, **others: float) -> int:
    return size


def unresolved(size: "Missing") -> int:  # type: ignore[name-defined] # noqa: F821
    return 7


def test_hints_in_quotes_and_those_that_nothing_resolves() -> None:
    assert hints(takes) == {"size": int, "name": str, "more": Any, "others": float}
    assert hints(unresolved) == {}


def test_an_argument_of_another_type_is_refused_by_its_key() -> None:
    assert build({"_target_": f"{__name__}.takes", "size": 3}, "model.network") == 3
    with pytest.raises(ConfigError, match=r"^model\.network\.size=3\.5: must be an integer$"):
        build({"_target_": f"{__name__}.takes", "size": 3.5}, "model.network")
    assert build({"_target_": f"{__name__}.unresolved", "size": "x"}, "model.network") == 7
    with pytest.raises(
        ConfigError, match=r"^model\.network\._target_=\[1\]: must be the dotted name"
    ):
        build({"_target_": [1]}, "model.network")
