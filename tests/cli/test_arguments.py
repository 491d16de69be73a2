"""What the commands have in common."""

from importlib import import_module

import pytest

from oodbench.core.versions import versions

COMMANDS = ("check", "data", "models", "plan", "table")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_version_is_that_of_oodbench(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        import_module(f"oodbench.cli.{name}").main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"oodbench {versions(['oodbench'])['oodbench']}\n"
