"""The command that removes strangers removes nothing else."""

import subprocess
from pathlib import Path

from oodbench.benchmarks.inspection.folders import removal


def test_pictures_of_the_same_name_stay(tmp_path: Path) -> None:
    names = ["a/1.JPEG", "b/1.JPEG", "a/*", "b/x y.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(removal(tmp_path, ["a/1.JPEG", "a/*"]), shell=True, check=True)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"b/1.JPEG", "b/x y.txt"}


def test_many_strangers_have_no_command(tmp_path: Path) -> None:
    assert not removal(tmp_path, [f"a/{number}" for number in range(9)]).startswith("rm")
