"""A kill at any point leaves a state that the same command finishes."""

import subprocess
import sys
from pathlib import Path

import pytest
from official_archives import OFFICIAL, imagenet_val, picture, validation_names

KILLED_EVERYWHERE = r"""
import os, shutil, sys
from pathlib import Path
from oodbench.data.archives.placing import How
from oodbench.data.archives.prepare import prepare
from oodbench.data.archives.request import Request
from oodbench.data.sets.facts import data_sets
from oodbench.reference import imagenet_wnids, validation_labels

name, archives, work, how, stride = sys.argv[1:]
EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "shutil.rmtree"}
work, given, root = Path(work), Path(work, "given"), Path(work, "data")
os.sync = os.fsync = lambda *file: None

def request():
    return Request(data_sets()[name], [given], root, How(how), False, lambda: b"", None)

def child(action):
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def killed(at):
    count = 0
    def hook(event, arguments):
        nonlocal count
        if event in EVENTS:
            count += 1
            if count == at:
                os._exit(9)
    sys.addaudithook(hook)
    prepare(request(), lambda line: None)

def tree():
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*")
             if path.is_file() and path.suffix != ".lock"}
    return {path: content for path, content in files.items() if content}

def fresh():
    for folder in (given, root):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(archives, given)

data_sets(), validation_labels(), imagenet_wnids()  # read once, not by every process
fresh()
assert child(lambda: prepare(request(), lambda line: None)) == 0
expected = tree()
at, points = 1, 0
while True:
    fresh()
    code = child(lambda: killed(at))
    if code == 0:
        break
    assert code == 9, code
    assert child(lambda: prepare(request(), lambda line: None)) == 0, at
    assert tree() == expected, (at, set(tree()) ^ set(expected))
    at, points = at + int(stride), points + 1
print(points)
"""


def killed_everywhere(name: str, archives: Path, work: Path, how: str, stride: int) -> int:
    """At how many points the command was killed and finished by the same one."""
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", KILLED_EVERYWHERE, name, archives, work, how, str(stride)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "stride"), [("imagenet_a", 3), ("imagenet_sketch", 5)])
def test_archive(name: str, stride: int, tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    OFFICIAL[name](tmp_path / "archives")
    assert killed_everywhere(name, tmp_path / "archives", tmp_path / "w", "copy", stride) > 15


@pytest.mark.slow
def test_several_archives(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    OFFICIAL["imagenet_p"](tmp_path / "archives")
    assert killed_everywhere("imagenet_p", tmp_path / "archives", tmp_path / "w", "copy", 9) > 15


@pytest.mark.slow
@pytest.mark.parametrize("how", ["link", "move"])
def test_folder(how: str, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, name in enumerate(validation_names(8)):
        (flat / name).write_bytes(picture(number))
    assert killed_everywhere("imagenet_val", flat, tmp_path / "w", how, 3) > 15


def test_archive_that_changed_in_between_starts_anew(tmp_path: Path) -> None:
    """Files that only the first archive had do not stay."""
    (tmp_path / "archives").mkdir()
    (path,) = imagenet_val(tmp_path / "archives", n=30, devkit=False)
    first = path.read_bytes()
    from oodbench.data.archives.staging import Staging

    staging = Staging(tmp_path / "data" / "val")
    tree = staging.start("x.tar", path)
    (tree / "old").write_text("")
    assert (staging.start("x.tar", path) / "old").exists()
    path.write_bytes(first[:-512])
    assert not (staging.start("x.tar", path) / "old").exists()
