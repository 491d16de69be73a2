"""What was changed in a JSON file since it was written is seen."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from oodbench.core.checksum import agrees, checksum, write_checked

CONTENT: dict[str, Any] = {"b": [1, 0.1, None], "a": {"é": "ü"}}


def test_the_checksum_is_that_of_the_canonical_text() -> None:
    text = '{"a": {"é": "ü"}, "b": [1, 0.1, null]}'
    assert checksum(CONTENT) == hashlib.sha256(text.encode()).hexdigest()


def test_what_was_written_agrees(tmp_path: Path) -> None:
    write_checked(tmp_path / "a.json", {**CONTENT, "tuple": (1, 2), "whole": 1.0})
    stored = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert agrees(stored)
    assert stored == {**CONTENT, "tuple": [1, 2], "whole": 1.0}


@pytest.mark.parametrize("changed", [{"b": [1, 0.2, None]}, {"c": 1}, {"sha256": "0" * 64}])
def test_what_was_changed_does_not(changed: dict[str, Any]) -> None:
    assert not agrees({**CONTENT, "sha256": checksum(CONTENT), **changed})


def test_spaces_and_the_order_of_keys_do_not_count() -> None:
    content = dict(reversed(CONTENT.items()))
    assert agrees(json.loads(json.dumps({**content, "sha256": checksum(CONTENT)}, indent=7)))


def test_what_has_none_is_taken_as_it_is() -> None:
    assert agrees(dict(CONTENT))
