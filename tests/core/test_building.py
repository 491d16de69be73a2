"""Nodes with `_target_`: checked against the signature, errors in one line."""

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from oodbench.core.building import bound_arguments, build, check_arguments
from oodbench.core.errors import ConfigError, DataError


class Plain:
    def __init__(self, *, size: Any, colour: str = "red") -> None:
        self.size, self.colour = size, colour


class Open:
    def __init__(self, *, size: int, **others: Any) -> None:
        self.size, self.others = size, others


class Parameterless(nn.Module):
    """Inherits `nn.Module.__init__(*args, **kwargs)`, which says nothing of its arguments."""


class Explodes:
    def __init__(self) -> None:
        raise ValueError("first line\nsecond line")


class Refuses:
    def __init__(self) -> None:
        raise DataError("data.root=x: no such folder")


def node(target: str, **arguments: Any) -> dict[str, Any]:
    return {"_target_": f"{__name__}.{target}", **arguments}


def refusal(wrong: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        build(wrong, "part")
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_builds_with_defaults() -> None:
    built = build(node("Plain", size=3), "part")
    assert (type(built).__name__, built.size, built.colour) == ("Plain", 3, "red")


def test_builds_nodes_within() -> None:
    built = build(node("Plain", size=node("Plain", size=1)), "part")
    assert built.size.size == 1


def test_lists_and_mappings_arrive_as_plain_python() -> None:
    built = build(node("Plain", size=[1, {"a": 2}]), "part")
    assert type(built.size) is list
    assert type(built.size[1]) is dict


def test_an_unknown_argument_names_the_close_one_and_all() -> None:
    message = refusal(node("Plain", size=1, color="blue"))
    assert message == "unknown key part.color: did you mean colour? available: size, colour"


def test_an_unknown_argument_like_no_other_lists_all() -> None:
    assert refusal(node("Plain", size=1, zzz=0)) == "unknown key part.zzz: available: size, colour"


def test_a_missing_argument_is_named() -> None:
    message = refusal(node("Plain", colour="blue"))
    assert message.startswith("part.size is missing: ")
    assert message.endswith("Plain needs it")


def test_a_target_with_kwargs_takes_any_argument_but_wants_its_own() -> None:
    built = build(node("Open", size=1, anything=2), "part")
    assert built.others == {"anything": 2}
    assert "part.size is missing" in refusal(node("Open", anything=2))


def test_a_module_without_init_is_built_and_refuses_arguments_in_one_line() -> None:
    assert type(build(node("Parameterless"), "part")).__name__ == "Parameterless"
    message = refusal(node("Parameterless", size=1))
    assert message.startswith("part: ")
    assert "Parameterless failed: TypeError" in message


def test_no_target() -> None:
    assert refusal({"size": 1}).startswith("part._target_ is missing")


@pytest.mark.parametrize("target", ["no_such_package.Thing", "oodbench.preprocessing.Nothing"])
def test_a_target_that_cannot_be_imported(target: str) -> None:
    message = refusal({"_target_": target})
    assert message.startswith(f"part._target_={target}: cannot be imported")


def test_a_module_that_fails_on_import_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fails_on_import.py").write_text("raise RuntimeError('one\\ntwo')\n")
    monkeypatch.syspath_prepend(tmp_path)
    message = refusal({"_target_": "fails_on_import.Thing"})
    assert message.startswith("part._target_=fails_on_import.Thing: cannot be imported")


def test_a_target_without_a_signature() -> None:
    assert "takes no named arguments" in refusal({"_target_": "builtins.dict"})


def test_an_error_of_the_constructor_is_one_line() -> None:
    message = refusal(node("Explodes"))
    assert message.startswith("part: ")
    assert message.endswith("Explodes failed: ValueError: first line second line")


def test_an_error_the_user_can_mend_passes_unchanged() -> None:
    with pytest.raises(DataError, match=r"^data\.root=x: no such folder$"):
        build(node("Refuses"), "part")


def test_bound_arguments_fill_in_defaults() -> None:
    spelled = node("Plain", size=1, colour="red")
    assert bound_arguments(node("Plain", size=1), "part") == spelled
    assert bound_arguments(spelled, "part") == spelled
    with pytest.raises(ConfigError, match="did you mean colour"):
        bound_arguments(node("Plain", size=1, color="red"), "part")


def test_hydras_own_keys_are_no_arguments() -> None:
    check_arguments(node("Plain", size=1, _convert_="all"), "part")
