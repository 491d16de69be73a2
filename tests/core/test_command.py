"""How commands end: with one line, with 130 after Ctrl-C, and mute where nobody reads."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from oodbench.core.command import as_command
from oodbench.core.errors import DataError, failure_line, is_mendable


def ended(error: BaseException | None) -> int:
    @as_command("interrupted: go on")
    def main() -> int:
        if error is not None:
            raise error
        return 7

    return main()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (None, 7, ""),
        (DataError("x.png: broken"), 1, "error: x.png: broken\n"),
        (KeyboardInterrupt(), 130, "interrupted: go on\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/a.json"),
            1,
            "error: out/a.json: No space left on device: make room, or use another folder\n",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", b"caf\xe9"),
            1,
            "error: caf\\udce9: Permission denied: change the mode of the file or folder\n",
        ),
    ],
)
def test_exit_codes(
    error: BaseException | None, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(error) == code
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    "error", [ValueError("x"), OSError("no number"), OSError(errno.EIO, "Input/output error", "f")]
)
def test_other_errors_keep_their_traceback(error: Exception) -> None:
    assert not is_mendable(error)
    with pytest.raises(type(error)):
        ended(error)
    assert failure_line(error).startswith(type(error).__name__)


HEAD = """
import sys
from oodbench.core.command import as_command

@as_command("interrupted")
def main():
    for _ in range(100_000):
        print("a line")
    return 0

sys.exit(main())
"""


def test_a_reader_that_stops_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HEAD], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"a line\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
