from pathlib import Path

import pytest

from oodbench.cli import data as cli
from oodbench.core.errors import DataError


def test_help_lists_the_subcommands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert "oodbench-data" in shown
    assert "demo" in shown


def test_help_of_demo_says_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["demo", "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert "--out DIR" in shown
    assert "default: demo-data" in shown


@pytest.mark.parametrize("arguments", [[], ["undo"], ["demo", "--in", "x"]])
def test_wrong_arguments_exit_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert "usage: oodbench-data" in capsys.readouterr().err


def test_demo_builds_in_the_named_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Path] = []
    monkeypatch.setattr(cli, "build_demo", built.append)
    assert cli.main(["demo", "--out", "some/where"]) == 0
    assert cli.main(["demo"]) == 0
    assert built == [Path("some/where"), Path("demo-data")]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DataError("x.jpg is missing: look for it"), 1, "error: x.jpg is missing: look for it\n"),
        (KeyboardInterrupt(), 130, "interrupted: the same command goes on where it stopped\n"),
    ],
)
def test_errors_are_one_line_on_stderr(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing(directory: Path) -> None:
        raise error

    monkeypatch.setattr(cli, "build_demo", failing)
    assert cli.main(["demo"]) == code
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", message)
