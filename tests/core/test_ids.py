"""Ids and places: each spelling leads to the place to build and to the id to remember."""

from typing import Any

import pytest

from oodbench.core import ids
from oodbench.core.errors import ConfigError
from oodbench.core.ids import Place, frozen, frozen_name, is_known, located, located_name


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {
        "part": {
            "old.Moved": Place("new.home.Moved"),
            "old.Small": Place("new.Sized", {"size": 1}),
            "old.SmallRed": Place("new.Sized", {"size": 1, "colour": "red"}),
            "new.Sized": Place("new.Sized"),
        },
        "score": {"old.rate": Place("new.share"), "old.mean": Place("old.mean")},
    }
    monkeypatch.setattr(ids, "table", lambda: entries)


SPELLINGS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # (as the config says it, to build, to remember)
    ({"_target_": "old.Moved"}, {"_target_": "new.home.Moved"}, {"_target_": "old.Moved"}),
    ({"_target_": "new.home.Moved"}, {"_target_": "new.home.Moved"}, {"_target_": "old.Moved"}),
    (
        {"_target_": "old.Moved", "a": [1]},
        {"_target_": "new.home.Moved", "a": [1]},
        {"_target_": "old.Moved", "a": [1]},
    ),
    (
        {"_target_": "old.Small"},
        {"_target_": "new.Sized", "size": 1},
        {"_target_": "old.Small"},
    ),
    (
        {"_target_": "new.Sized", "size": 1, "b": 2},
        {"_target_": "new.Sized", "size": 1, "b": 2},
        {"_target_": "old.Small", "b": 2},
    ),
    (
        {"_target_": "old.Small", "size": 1},
        {"_target_": "new.Sized", "size": 1},
        {"_target_": "old.Small"},
    ),
    (
        {"_target_": "new.Sized", "colour": "red", "size": 1},
        {"_target_": "new.Sized", "colour": "red", "size": 1},
        {"_target_": "old.SmallRed"},
    ),
    (
        {"_target_": "new.Sized", "size": [2]},
        {"_target_": "new.Sized", "size": [2]},
        {"_target_": "new.Sized", "size": [2]},
    ),
    (
        {"_target_": "my.Own", "size": 1},
        {"_target_": "my.Own", "size": 1},
        {"_target_": "my.Own", "size": 1},
    ),
    ({"size": 1}, {"size": 1}, {"size": 1}),
]


@pytest.mark.parametrize(("said", "built", "remembered"), SPELLINGS)
def test_every_spelling_has_one_place_and_one_id(
    said: dict[str, Any], built: dict[str, Any], remembered: dict[str, Any]
) -> None:
    before = dict(said)
    assert located(said) == located(remembered) == built
    assert frozen(said) == frozen(built) == remembered
    assert said == before


def test_nodes_within_nodes_and_lists() -> None:
    said = {
        "_target_": "my.Own",
        "part": {"_target_": "old.Moved", "parts": [{"_target_": "new.Sized", "size": 1}, 3]},
        "plain": {"more": {"_target_": "new.home.Moved"}},
    }
    assert frozen(said) == {
        "_target_": "my.Own",
        "part": {"_target_": "old.Moved", "parts": [{"_target_": "old.Small"}, 3]},
        "plain": {"more": {"_target_": "old.Moved"}},
    }
    assert located(said)["part"]["parts"][0] == {"_target_": "new.Sized", "size": 1}
    assert located(said)["plain"]["more"] == {"_target_": "new.home.Moved"}


def test_scores() -> None:
    names = ["new.share", "old.rate", "old.mean", "my.score"]
    assert [located_name(name) for name in names] == ["new.share", "new.share", *names[2:]]
    assert [frozen_name(name) for name in names] == ["old.rate", "old.rate", *names[2:]]
    assert frozen({"_target_": "my.Own", "scores": names})["scores"] == [
        frozen_name(name) for name in names
    ]
    assert frozen({"scores": names}) == {"scores": names}


def test_what_an_id_fixes_cannot_be_another() -> None:
    with pytest.raises(ConfigError) as caught:
        located({"a": [{"_target_": "old.Small", "size": 7}]})
    assert (
        str(caught.value) == "old.Small: has size=1, not 7; for another one use _target_=new.Sized"
    )


def test_known_are_ids_and_places_of_one_kind() -> None:
    known = ("old.Moved", "new.home.Moved", "old.SmallRed", "new.Sized")
    assert all(is_known("part", name) for name in known)
    assert not any(is_known("score", name) for name in known)
    assert is_known("score", "new.share")
    assert not any(is_known("part", name) for name in ("old.rate", "my.Own", "", None, {"a": 1}))
