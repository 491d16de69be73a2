"""The wheel holds everything, and works where there is no checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from toys import write_pictures

ROOT = Path(__file__).parents[1]
SOURCES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "src", "conf")


def run(*command: object, cwd: Path) -> str:
    """Standard output of a command that knows nothing of the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing an earlier build left behind gets in."""
    source = tmp_path_factory.mktemp("source")
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=unwanted)
        else:
            shutil.copy(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", cwd=source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a new environment with the wheel; the other packages are those of this one.

    Console scripts are beside it.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    schemes = {"base": str(folder), "platbase": str(folder)}
    python = Path(sysconfig.get_path("scripts", "venv", schemes)) / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    # Only now, or pip would take this environment's oodbench for the new one's. The .pth files of a
    # folder that a .pth file names are not read, so this environment's editable install stays out.
    packages = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    link = Path(sysconfig.get_path("purelib", "venv", schemes)) / "packages.pth"
    link.write_text("".join(f"{path}\n" for path in packages), encoding="utf-8")
    return python


def shipped_files() -> list[str]:
    """Names in the wheel of all files on disk that it must hold."""
    package = ROOT / "src" / "oodbench"
    suffixes = (".py", ".csv", ".txt", ".json", ".yaml", ".html")
    own = [path for path in package.rglob("*") if path.suffix in suffixes]
    own.append(package / "py.typed")
    configs = [*(ROOT / "conf").rglob("*.yaml"), *(ROOT / "conf").rglob("*.py")]
    return [f"oodbench/{path.relative_to(package).as_posix()}" for path in own] + [
        f"oodbench/conf/{path.relative_to(ROOT / 'conf').as_posix()}" for path in configs
    ]


def test_wheel_holds_every_file(wheel: Path) -> None:
    expected = shipped_files()
    assert "oodbench/conf/model/resnet50.yaml" in expected
    assert "oodbench/reference/published_results.csv" in expected
    with ZipFile(wheel) as archive:
        assert set(expected) - set(archive.namelist()) == set()


def test_wheel_holds_only_oodbench_and_its_metadata(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert tops == {"oodbench", "oodbench-0.1.0.dist-info"}


def test_metadata_names_the_licence_and_the_commands(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        folder = metadata.rpartition("/")[0]
        lines = archive.read(metadata).decode().splitlines()
        licence = archive.read(f"{folder}/licenses/LICENSE").decode()
        commands = archive.read(f"{folder}/entry_points.txt").decode()
    assert {"License: Apache-2.0", "License-Expression: Apache-2.0"} & set(lines)
    assert "License-File: LICENSE" in lines
    assert licence == (ROOT / "LICENSE").read_text(encoding="utf-8")
    for name in ("oodbench", "oodbench-table", "oodbench-data"):
        assert f"{name} = oodbench." in commands


@pytest.mark.slow
def test_installed_command_composes_the_configs_of_the_wheel(
    installed_python: Path, tmp_path: Path
) -> None:
    where = run(
        installed_python, "-c", "import oodbench.conf as c; print(c.__file__)", cwd=tmp_path
    )
    assert Path(where.strip()).is_relative_to(installed_python.parents[1])
    command = installed_python.with_name("oodbench")
    config = run(command, "--cfg", "job", "model=efficientnet_lite0", cwd=tmp_path)
    assert "architecture: tf_efficientnet_lite0" in config


@pytest.mark.slow
def test_installed_command_measures_a_cell(installed_python: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "data" / "imagenet" / "val", per_class=2)
    command = installed_python.with_name("oodbench")
    options = ("data.allow_partial=true", "+model.weights.random_seed=0", "output_root=out")
    said = run(command, "model=efficientnet_lite0", *options, cwd=tmp_path)
    assert "partial: 10 of 50000" in said
    assert list((tmp_path / "out" / "runs").rglob("result.json"))
    run(installed_python.with_name("oodbench-table"), "--output-root", "out", cwd=tmp_path)
    assert "efficientnet_lite0" in (tmp_path / "out" / "tables" / "table.md").read_text()
