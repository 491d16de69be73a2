"""run.json: no session is lost, and no damage ends a run."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from processes import at_once

from oodbench.runs.sessions import append_session

APPEND = """
from pathlib import Path; from oodbench.runs.sessions import append_session
for number in range(25):
    append_session(Path(sys.argv[1]), {"process": sys.argv[2], "number": number})
"""


def sessions(path: Path) -> list[Any]:
    content = json.loads(path.read_text())
    assert list(content) == ["sessions"]
    stored: list[Any] = content["sessions"]
    return stored


def test_sessions_are_kept_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "run" / "run.json"
    for items in (25, 35):
        append_session(path, {"items": items})
    assert sessions(path) == [{"items": 25}, {"items": 35}]


def test_processes_that_end_at_once_lose_no_session(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    at_once(APPEND, *([str(path), name] for name in "abcd"))
    stored = sessions(path)
    assert len(stored) == 100
    for name in "abcd":
        assert [s["number"] for s in stored if s["process"] == name] == list(range(25))


@pytest.mark.parametrize("content", ["{}", "[]", '{"sessions": {}}', '{"sessions": [', "", "null"])
def test_a_damaged_file_is_put_aside_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    with caplog.at_level(logging.WARNING):
        append_session(path, {"items": 1})
    assert sessions(path) == [{"items": 1}]
    assert (tmp_path / "run.json.damaged-1").read_text() == content
    (message,) = caplog.messages
    assert message.startswith(f"{path}: damaged: begun anew")
    assert "run.json.damaged-1" in message


def test_a_folder_in_its_place_is_put_aside_with_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    for number in (1, 2):
        path.unlink(missing_ok=True)
        path.mkdir()
        (path / "note.txt").write_text(f"{number}")
        append_session(path, {"items": number})
        assert sessions(path) == [{"items": number}]
        assert (tmp_path / f"run.json.damaged-{number}" / "note.txt").read_text() == f"{number}"


def test_what_cannot_be_written_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "run.json"
    with caplog.at_level(logging.WARNING):
        append_session(path, {"items": 1})
    assert caplog.messages[0].startswith(f"{path}: this session could not be recorded: ")
