"""The script of an array: what sbatch reads, and nothing that a shell would take otherwise."""

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from oodbench.core.errors import ConfigError
from oodbench.sweeps.submission.script import Resources, script_of

USUAL = Resources("1:00:00", 1, 8, "32G", 4, [], [], [], "/usr/bin/python3")


def options(script: str) -> list[str]:
    return [line[8:] for line in script.splitlines() if line.startswith("#SBATCH ")]


def test_it_asks_for_what_was_given() -> None:
    given = replace(USUAL, options=["--partition=gpu"], setup=["module load cuda"])
    script = script_of(Path("/out/x"), 26, given)
    asked = options(script)
    assert {"--array=0-25%4", "--gpus-per-node=1", "--mem=32G", "--partition=gpu"} <= set(asked)
    assert script.splitlines()[-2:] == [
        "module load cuda",
        "exec /usr/bin/python3 -m oodbench.cli.submit --task-of /out/x",
    ]
    assert not any(
        "gpus" in text for text in options(script_of(Path("x"), 1, replace(USUAL, gpus=0)))
    )


def test_a_container_and_a_folder_with_spaces() -> None:
    folder = Path("/out/it's $HOME; rm x")
    given = replace(USUAL, wrapper=["apptainer", "exec", "--nv", "an image.sif"])
    script = script_of(folder, 1, given)
    words = shlex.split(script.splitlines()[-1])
    assert words[:5] == ["exec", "apptainer", "exec", "--nv", "an image.sif"]
    assert words[-1] == str(folder)
    assert f'--output="{folder}/%a.log"' in options(script)
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


@pytest.mark.parametrize("text", ["account=me", "--account=me\nrm -r /"])
def test_what_is_no_option_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no option of sbatch"):
        script_of(Path("x"), 1, replace(USUAL, options=[text]))
