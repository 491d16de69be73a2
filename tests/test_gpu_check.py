"""The GPU check as far as a processor goes: what is packed, the many names, rows, time limits."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from toys import write_pictures

ROOT = Path(__file__).parents[1]
MEASUREMENTS = ROOT / "measurements"
NOT_PACKED = ("av", "openvino", "corrupt-tta", "opencv-python", "foolbox")
FIELDS = {"work", "ours", "theirs", "unit", "ratio", "agree", "goal", "card"}

INTERRUPTED = """
import sys, time
from pathlib import Path

import gpu


def rows(job):
    yield {"work": "first"}
    if job.device == "cuda":
        raise ValueError("no card\\nat all")
    time.sleep(60)


found = []
for device in ("cpu", "cuda"):
    job = gpu.Job(Path(), device, Path(), True)
    print(gpu.carried_out(gpu.Measurement(rows, 60), job, 1.0, found.append))
print(len(found))
"""


@pytest.fixture
def gpu_pictures(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(MEASUREMENTS))
    import gpu_pictures

    yield gpu_pictures
    del sys.modules["gpu_pictures"]


def requirements(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.JPEG"))


def python(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Of the scripts in measurements/."""
    environment = {**os.environ, "PYTHONPATH": str(MEASUREMENTS), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, *map(str, arguments)]
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300)


def test_what_is_packed_has_the_versions_that_were_tested() -> None:
    packed = requirements(MEASUREMENTS / "gpu_requirements.txt")
    assert len(packed) == 5
    assert set(packed) <= set(requirements(ROOT / "constraints.txt"))
    assert {line.partition("==")[0] for line in packed} & set(NOT_PACKED) == set()


@pytest.mark.parametrize(
    ("count", "classes"), [(2, 2), (5, 5), (12, 5)], ids=["few", "one each", "several each"]
)
def test_pictures_are_spread_over_the_classes(
    gpu_pictures: ModuleType, tmp_path: Path, count: int, classes: int
) -> None:
    write_pictures(tmp_path / "all", per_class=3)
    gpu_pictures.copy_spread(tmp_path / "all", tmp_path / "some", count)
    found = names(tmp_path / "some")
    assert len(found) == count
    assert set(found) <= set(names(tmp_path / "all"))
    of_class = Counter(name.partition("/")[0] for name in found)
    assert len(of_class) == classes
    assert max(of_class.values()) - min(of_class.values()) <= 1


def test_too_few_pictures_are_refused(gpu_pictures: ModuleType, tmp_path: Path) -> None:
    write_pictures(tmp_path / "all", per_class=1)
    with pytest.raises(SystemExit, match="5 JPEG files in class folders; 6 are needed"):
        gpu_pictures.copy_spread(tmp_path / "all", tmp_path / "some", 6)


def test_every_picture_gets_as_many_names(gpu_pictures: ModuleType, tmp_path: Path) -> None:
    write_pictures(tmp_path / "few", per_class=2)
    gpu_pictures.repeat(tmp_path / "few", tmp_path / "many", 50)
    found = names(tmp_path / "many")
    assert len(found) == 50
    assert set(Counter(re.sub(r"_\d{4}\.JPEG", ".JPEG", name) for name in found).values()) == {5}
    assert {name.partition("/")[0] for name in found} == {
        name.partition("/")[0] for name in names(tmp_path / "few")
    }
    few, many = tmp_path / "few", tmp_path / "many"
    for name in found:
        original = re.sub(r"_\d{4}\.JPEG", ".JPEG", name)
        assert (many / name).samefile(few / original)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "usage: "),
        (("pack", "new", "--pictures", "missing"), "--pictures missing: no such folder"),
        (("pack", ".", "--pictures", "."), ". is there already, and no pack"),
        (("run", "empty"), "empty: not made by gpu.sh pack"),
        (("run", "empty", "--jsn", "x"), "--jsn: no such option"),
        (("run", "empty", "--json"), "--json: no value"),
        (("walk", "empty"), "walk: pack or run"),
    ],
)
def test_a_wrong_command_is_one_line(
    tmp_path: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    done = subprocess.run(
        [MEASUREMENTS / "gpu.sh", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"gpu.sh: {complaint}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_rows_are_kept_where_a_measurement_fails_or_time_runs_out() -> None:
    done = python("-c", INTERRUPTED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "stopped after 1 s",
        "failed: ValueError: no card",
        "2",
    ]


@pytest.mark.slow
def test_measurements_give_rows_on_a_processor(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", per_class=4)
    file = tmp_path / "gpu.json"
    chosen = ("predictions", "loading", "largest_attack")
    options = ("--pictures", tmp_path / "pictures", "--device", "cpu", "--small", "--json", file)
    done = python(MEASUREMENTS / "gpu.py", *options, "--only", ",".join(chosen), "--tests", "none")
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads(file.read_text())
    assert written["measurements"] == dict.fromkeys(chosen, "done")
    assert written["tests"] == "none"
    assert len(written["rows"]) == 5
    for row in written["rows"]:
        assert set(row) >= FIELDS
        assert row["card"] == "cpu"


@pytest.mark.slow
def test_what_there_is_no_time_for_is_said(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", per_class=1)
    file = tmp_path / "gpu.json"
    options = ("--pictures", tmp_path / "pictures", "--device", "cpu", "--small", "--json", file)
    done = python(MEASUREMENTS / "gpu.py", *options, "--seconds", 0)
    assert done.returncode == 1
    outcomes = json.loads(file.read_text())["measurements"]
    assert len(outcomes) == 12
    assert set(outcomes.values()) == {"not run: no time was left"}
