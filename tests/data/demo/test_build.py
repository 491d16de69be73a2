import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import av
import numpy as np
import pytest
from PIL import Image

from oodbench.cli.data import main
from oodbench.core.errors import ConfigError, DataError
from oodbench.data.clips import Encoder, encode_clip
from oodbench.data.demo import build as demo
from oodbench.data.demo import sources as demo_sources
from oodbench.data.demo.build import build_demo
from oodbench.data.pictures import load_clip
from oodbench.reference import class_lists, geirhos_categories, imagenet_wnids

pytestmark = pytest.mark.skipif(
    find_spec("foolbox") is None or find_spec("cv2") is None,
    reason="the demo data are made from foolbox's pictures, with OpenCV",
)

NOTICE = (
    "demo data made by oodbench from 20 pictures: "
    "no number measured on it is comparable with a published one"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo data, built once; tests that change it work on copies made of links."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    build_demo(folder, report=lambda line: None)
    return folder


@pytest.fixture
def linked(root: Path, tmp_path: Path) -> Path:
    """A copy in which files can be deleted, but must not be changed in place."""
    for path in root.rglob("*"):
        if path.is_file():
            copy = tmp_path / "copy" / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.hardlink_to(path)
    return tmp_path / "copy"


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def foolbox_pictures() -> Iterator[tuple[str, bytes]]:
    """(synset, bytes) of the 20 pictures, read without our code."""
    spec = find_spec("foolbox")
    assert spec is not None
    assert spec.origin is not None
    for path in sorted((Path(spec.origin).parent / "data").glob("imagenet_*.jpg")):
        yield imagenet_wnids()[int(path.stem.split("_")[2])], path.read_bytes()


def test_imagenet_has_the_20_pictures_unchanged(root: Path) -> None:
    found = list((root / "imagenet/val").glob("*/*"))
    assert len(found) == 20
    assert all(re.fullmatch(r"ILSVRC2012_val_\d{8}\.JPEG", path.name) for path in found)
    assert len({path.name for path in found}) == 20
    pairs = sorted((path.parent.name, path.read_bytes()) for path in found)
    assert pairs == sorted(foolbox_pictures())
    assert max(Counter(path.parent.name for path in found).values()) == 2


def test_imagenet_a_has_the_pictures_of_its_classes_and_variants(root: Path) -> None:
    found = list((root / "imagenet-a").glob("*/*.jpg"))
    expected = [pair for pair in foolbox_pictures() if pair[0] in class_lists()["imagenet_a"]]
    assert len(expected) == 6
    assert len(found) == 18
    assert {path.parent.name for path in found} == {wnid for wnid, _ in expected}
    assert set(expected) <= {(path.parent.name, path.read_bytes()) for path in found}
    for path in found:
        with Image.open(path) as picture:
            picture.load()
            assert min(picture.size) >= 224


def test_imagenet_c_has_75_cells_of_the_same_4_pictures(root: Path) -> None:
    found = [path.relative_to(root / "imagenet-c") for path in root.glob("imagenet-c/*/*/*/*")]
    assert len(found) == 15 * 5 * 4
    cells = Counter(path.parts[:2] for path in found)
    assert len(cells) == 75
    assert set(cells.values()) == {4}
    assert {path.parts[1] for path in found} == set("12345")
    pictures = {path.parts[2:] for path in found}
    assert len(pictures) == 4
    for wnid, name in pictures:
        assert (root / "imagenet/val" / wnid / name).is_file()
    for path in found[::7]:
        with Image.open(root / "imagenet-c" / path) as picture:
            assert (picture.size, picture.mode, picture.format) == ((224, 224), "RGB", "JPEG")
            picture.load()


def test_imagenet_p_has_2_clips_of_each_perturbation(root: Path) -> None:
    found = list((root / "imagenet-p").glob("*/*/*.mp4"))
    assert len(found) == 20
    assert set(Counter(path.parts[-3] for path in found).values()) == {2}
    for path in found:
        assert (root / "imagenet/val" / path.parts[-2] / f"{path.stem}.JPEG").is_file()
        with av.open(str(path)) as container:
            frames = list(container.decode(video=0))
        assert len(frames) == (41 if path.parts[-3] == "translate" else 31)
        assert {(frame.width, frame.height) for frame in frames} == {(224, 224)}
        assert {frame.format.name for frame in frames} == {"yuv420p"}


def test_imagenet_c_is_what_is_made_of_imagenet(root: Path, tmp_path: Path) -> None:
    """The commands' own files are tested against other people's packages."""
    source = tmp_path / "val"
    for wnid, name in {path.parts[-2:] for path in root.glob("imagenet-c/fog/1/*/*")}:
        (source / wnid).mkdir(parents=True)
        (source / wnid / name).hardlink_to(root / "imagenet/val" / wnid / name)
    made = tmp_path / "made"
    cells = ["--corruptions", "frost", "glass_blur", "shot_noise", "--severities", "1", "5"]
    line = ["corrupt", "--source", str(source), "--out", str(made), *cells, "--workers", "1"]
    assert main(line) == 0
    files = list(made.glob("*/*/*/*.JPEG"))
    assert len(files) == 3 * 2 * 4
    for path in files:
        ours = root / "imagenet-c" / path.relative_to(made)
        assert ours.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("perturbation", ["translate", "shot_noise", "snow"])
def test_imagenet_p_is_what_is_made_of_imagenet_in_smaller_files(
    root: Path, perturbation: str
) -> None:
    """The frames are those of `oodbench-data perturb`, which encodes them as published."""
    from oodbench.data.perturbations.files import clip_frames, whole_picture

    (clip,) = root.glob(f"imagenet-p/{perturbation}/n01614925/*.mp4")
    name = f"n01614925/{clip.stem}"
    picture = whole_picture(root / "imagenet/val" / f"{name}.JPEG")
    frames = list(clip_frames(picture, perturbation, 0, name))
    assert clip.read_bytes() == encode_clip(frames, Encoder())
    shown = np.stack(load_clip(clip)).astype(int)
    assert np.abs(shown - np.stack(frames)).mean() < 6


def test_imagenet_sketch_has_20_nearly_white_pictures(root: Path) -> None:
    found = list((root / "imagenet-sketch/sketch").glob("*/*"))
    assert Counter(path.parent.name for path in found) == Counter(
        wnid for wnid, _ in foolbox_pictures()
    )
    assert Counter(path.name for path in found) == {"sketch_0.JPEG": 19, "sketch_1.JPEG": 1}
    for path in found:
        with Image.open(path) as picture:
            assert picture.mode == "RGB"
            assert np.asarray(picture).mean() > 150


def test_cue_conflict_names_say_shape_and_texture(root: Path) -> None:
    found = list((root / "cue-conflict").glob("*/*.png"))
    assert 12 <= len(found) <= 20
    same = []
    for path in found:
        match = re.fullmatch(r"([a-z]+)(\d+)-([a-z]+)(\d+)", path.stem)
        assert match is not None
        shape, _, texture, _ = match.groups()
        assert shape == path.parent.name
        assert {shape, texture} <= set(geirhos_categories())
        if shape == texture:
            same.append(path.name)
        with Image.open(path) as picture:
            assert (picture.size, picture.mode, picture.format) == ((224, 224), "RGB", "PNG")
            picture.load()
    assert same == ["bird1-bird2.png"]


def test_everything_says_that_it_is_demo_data(root: Path) -> None:
    notices = [path.relative_to(root).parent.as_posix() for path in root.rglob("DEMO.txt")]
    assert sorted(notices) == [
        "cue-conflict",
        "imagenet-a",
        "imagenet-c",
        "imagenet-p",
        "imagenet-sketch",
        "imagenet-sketch/sketch",
        "imagenet/val",
    ]
    for folder in notices:
        assert (root / folder / "DEMO.txt").read_text() == NOTICE + "\n"
    assert (root / "README.txt").read_text().startswith(NOTICE)


def test_nothing_else_is_there_and_it_is_small(root: Path) -> None:
    files = [path for path in root.rglob("*") if path.is_file()]
    manifest = json.loads((root / "demo.json").read_text())
    assert len(files) == manifest["files"] + 1
    assert manifest["version"] == demo.VERSION
    assert {path.suffix for path in files} == {".txt", ".json", ".JPEG", ".jpg", ".png", ".mp4"}
    assert sum(path.stat().st_size for path in files) < 20e6


@pytest.mark.slow
def test_a_second_build_in_another_process_has_the_same_bytes(root: Path, tmp_path: Path) -> None:
    code = "import sys; from oodbench.cli.data import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "demo", "--out", str(tmp_path / "again")]
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert hashes(tmp_path / "again") == hashes(root)
    lines = done.stdout.splitlines()
    assert len(lines) == 7
    assert re.fullmatch(r"imagenet-c +301 files, 301 made, \d+\.\d s", lines[2])
    assert done.stderr == ""


def test_a_finished_folder_is_left_alone_even_without_foolbox(
    linked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_sources, "find_spec", lambda name: None)
    times = {path: path.stat().st_mtime_ns for path in linked.rglob("*")}
    lines: list[str] = []
    start = perf_counter()
    build_demo(linked, report=lines.append)
    assert perf_counter() - start < 0.5
    assert len(lines) == 1
    assert "complete already (401 files), nothing to do" in lines[0]
    assert {path: path.stat().st_mtime_ns for path in linked.rglob("*")} == times


def test_deleted_files_are_made_again_and_the_others_left(root: Path, linked: Path) -> None:
    deleted = [
        next(linked.glob("imagenet-c/fog/3/*/*")),
        next(linked.glob("imagenet-p/snow/*/*")),
        linked / "cue-conflict/DEMO.txt",
        linked / "README.txt",
    ]
    for path in deleted:
        path.unlink()
    kept = next(linked.glob("imagenet-c/fog/4/*/*"))
    inode = kept.stat().st_ino
    lines: list[str] = []
    build_demo(linked, report=lines.append)
    assert [line.split(" files, ")[1].split(" made")[0].strip() for line in lines[:6]] == list(
        "001101"
    )
    assert hashes(linked) == hashes(root)
    assert kept.stat().st_ino == inode


def test_ctrl_c_leaves_whole_files_only_and_the_next_run_goes_on(
    root: Path, linked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in [*linked.glob("imagenet-p/t*/*/*"), *linked.glob("cue-conflict/*/*.png")]:
        path.unlink()

    def interrupted(*arguments: object) -> Iterator[np.ndarray]:
        yield np.zeros((224, 224, 3), np.uint8)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("oodbench.data.perturbations.files.clip_frames", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build_demo(linked, report=lambda line: None)
    assert not (linked / "demo.json").exists()
    expected = hashes(root)
    assert hashes(linked).items() < expected.items()
    build_demo(linked, report=lambda line: None)
    assert hashes(linked) == expected


def test_without_foolbox_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_sources, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install -e '\.\[demo\]'") as caught:
        build_demo(tmp_path / "new")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_without_opencv_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = ("oodbench.data.corruptions", "oodbench.data.perturbations")
    for name in [name for name in sys.modules if name.startswith(packages)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ConfigError, match=r"need OpenCV .*pip install -e '\.\[") as caught:
        build_demo(tmp_path / "new")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_a_foolbox_without_a_picture_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "foolbox").mkdir()
    (tmp_path / "foolbox/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    # The real one may have been imported by another test of this process.
    monkeypatch.delitem(sys.modules, "foolbox", raising=False)
    with pytest.raises(DataError, match=r"foolbox/data/imagenet_00_243\.jpg is missing"):
        build_demo(tmp_path / "new")


def test_foolbox_is_not_imported() -> None:
    code = (
        "import sys; from oodbench.data.demo.sources import sources_folder; sources_folder(); "
        "import oodbench.cli.data; print({'foolbox', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_a_folder_with_other_files_is_refused_and_untouched(tmp_path: Path) -> None:
    real = tmp_path / "imagenet/val/n01440764/ILSVRC2012_val_00000293.JPEG"
    real.parent.mkdir(parents=True)
    real.touch()
    with pytest.raises(DataError, match="is not empty"):
        build_demo(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [real]


def test_a_folder_of_another_version_is_refused(
    linked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (linked / "README.txt").unlink()
    monkeypatch.setattr(demo, "VERSION", demo.VERSION + 1)
    with pytest.raises(DataError, match="not made by version 3"):
        build_demo(linked)


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file.*Not a directory.*--out"):
        build_demo(tmp_path / "file")
