"""Every usual way in which a tree is wrong, built, and the sentence that says so."""

import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from validation_trees import NAMES, REPAIR, N, known, picture, write_tree

from oodbench.benchmarks.inspection.configs import shipped_config
from oodbench.benchmarks.inspection.finding import Inspection
from oodbench.benchmarks.inspection.inspect import Depth, inspect
from oodbench.cli.data import main
from oodbench.data.clips import write_clip
from oodbench.data.manifest import DEMO_MARK
from oodbench.reference import class_lists, imagenet_wnids

FOLDERS = len({known(position) for position in range(N)})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The first pictures of the validation set, sorted well."""
    write_tree(tmp_path / "imagenet" / "val")
    return tmp_path


def looked_at(root: Path, name: str = "imagenet", *, deep: bool = False) -> Inspection:
    return inspect(shipped_config(name, root), root, Depth(decode=deep, workers=2))


def sentences(found: Inspection) -> list[str]:
    return [problem.said for problem in found.problems]


def test_a_part_that_is_sorted_well(root: Path) -> None:
    found = looked_at(root, deep=True)
    assert sentences(found)[0] == f"{N} files instead of 50,000"
    assert [said.split(":")[0] for said in sentences(found)[1:]] == [
        f"{1000 - FOLDERS} class folders of 1000 missing",
        f"{FOLDERS} class folders without the 50 files of each",
    ]
    assert found.problems[0].mend == f"{REPAIR} {root}"
    assert (found.n_files, found.n_expected) == (N, 50_000)


def test_nothing_there(tmp_path: Path) -> None:
    found = looked_at(tmp_path)
    assert not found.there
    assert not found.good


def test_a_flat_folder(root: Path) -> None:
    val = root / "imagenet" / "val"
    for file in sorted(val.rglob("*.JPEG")):
        file.rename(val / file.name)
    for folder in val.iterdir():
        if folder.is_dir():
            folder.rmdir()
    (problem,) = looked_at(root).problems
    assert problem.said == (
        f"{N} pictures without class folders, of which every label would be the same"
    )
    main(problem.mend.split()[1:])
    assert sentences(looked_at(root))[0] == f"{N} files instead of 50,000"


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (200, "200 folders named by numbers, those of the 200 classes of a subset"),
        (1000, "1000 folders named by numbers, which sorted as text are 0, 1, 10, 100, …"),
    ],
)
def test_folders_named_by_numbers(tmp_path: Path, n: int, said: str) -> None:
    for number in range(n):
        (tmp_path / "imagenet-a" / str(number)).mkdir(parents=True)
    (found,) = sentences(looked_at(tmp_path, "imagenet_a"))
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("label_of", "said"),
    [
        (lambda k: known(k + 1), "labels are shifted by one: pictures lie in the folder of the pi"),
        (
            lambda k: (7 * known(k) + 3) % 1000,
            "classes are in another order, each in the folder",
        ),
        (
            lambda k: sorted(range(1000), key=str).index(known(k)),
            "classes are in the order of numbers that were sorted as text (0, 1, 10, 100, …), such",
        ),
        (
            lambda k: 7 if k == 3 else known(k),
            f"1 of {N} pictures lie in the folder of another class, such as n01514668/",
        ),
    ],
    ids=["shifted", "another order", "numbers as text", "a single one"],
)
def test_a_tree_that_is_sorted_wrongly(
    tmp_path: Path, label_of: Callable[[int], int], said: str
) -> None:
    write_tree(tmp_path / "imagenet" / "val", label_of)
    found = looked_at(tmp_path)
    (wrong,) = [problem for problem in found.problems if problem.said.startswith(said)]
    assert wrong.place == str(tmp_path / "imagenet" / "val")
    val = tmp_path / "imagenet" / "val"
    assert wrong.mend == f"oodbench-data prepare imagenet --from {val} --to {tmp_path} --move"
    main(wrong.mend.split()[1:])
    left = sentences(looked_at(tmp_path))
    assert not [said for said in left if "folder of" in said or "order" in said]
    assert left[0] == f"{N} files instead of 50,000"


def test_empty_truncated_and_strange_files(root: Path) -> None:
    folders = sorted((root / "imagenet" / "val").iterdir())
    files = [next(folder.glob("*.JPEG")) for folder in folders[:3]]
    files[0].write_bytes(b"")
    files[1].write_bytes(files[1].read_bytes()[:300])
    (folders[0] / "notes.txt").touch()
    (folders[0] / "Thumbs.db").touch()
    (folders[0] / f"._{files[0].name}").touch()
    (folders[0] / "ILSVRC2012_val_00000001.JPEG.part").touch()
    fast = sentences(looked_at(root))
    assert f"1 file of 0 bytes: {folders[0].name}/{files[0].name}" in fast
    inside = f"{folders[0].name}/"
    listed = (
        f"{inside}._{files[0].name}, {inside}ILSVRC2012_val_00000001.JPEG.part, {inside}Thumbs.db"
    )
    assert f"4 files that no benchmark reads: {listed}, …" in fast
    (mend,) = [one.mend for one in looked_at(root).problems if "no benchmark reads" in one.said]
    subprocess.run(mend, shell=True, check=True)
    assert not any("no benchmark reads" in said for said in sentences(looked_at(root)))
    assert len(list((root / "imagenet" / "val").rglob("*"))) == N + len(folders)
    deep = looked_at(root, deep=True)
    damaged = {problem.place: problem.said for problem in deep.problems}
    assert "cannot be read as a picture" in damaged[str(files[0])]
    assert "truncated" in damaged[str(files[1])].lower()
    assert str(files[2]) not in damaged


def test_pictures_of_another_size(tmp_path: Path) -> None:
    wnid = imagenet_wnids()[known(0)]
    for severity, size in ((1, (224, 224)), (2, (256, 224))):
        picture(tmp_path / "imagenet-c" / "fog" / str(severity) / wnid / NAMES[0], size)
    found = looked_at(tmp_path, "imagenet_c", deep=True)
    wrong = [problem for problem in found.problems if "pixels" in problem.said]
    assert [problem.said for problem in wrong] == [
        "224x256 pixels (height x width) instead of 224x224"
    ]
    assert "fog/2" in wrong[0].place


def test_missing_corruptions_are_named(tmp_path: Path) -> None:
    place = tmp_path / "imagenet-c" / "weather" / "fog" / "1"
    picture(place / imagenet_wnids()[known(0)] / NAMES[0])
    found = looked_at(tmp_path, "imagenet_c")
    assert sentences(found)[0] == (
        "74 parts missing: gaussian_noise, shot_noise, impulse_noise, defocus_blur, glass_blur, "
        "motion_blur, zoom_blur, snow, frost, fog/2, fog/3, fog/4, fog/5, brightness, contrast, "
        "elastic_transform, pixelate, jpeg_compression"
    )
    assert (found.problems[1].place, found.problems[1].said) == (
        str(place),
        "1 file instead of 50,000",
    )


def test_stimuli_are_known_by_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "cue-conflict" / "cat"
    folder.mkdir(parents=True)
    Image.new("RGB", (224, 224)).save(folder / "cat1-dog1.png")
    assert sentences(looked_at(tmp_path, "cue_conflict")) == ["1 file instead of 1,200"]
    Image.new("RGB", (224, 224)).save(folder / "cat1-horse1.png")
    (said,) = sentences(looked_at(tmp_path, "cue_conflict"))
    assert "not the name of a stimulus" in said


def test_a_class_with_too_few_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole small data set: the number of files is right, and one class has another's picture."""
    config = shipped_config("imagenet_a", tmp_path)
    wnids = class_lists()["imagenet_a"]
    for number, wnid in enumerate(wnids):
        for k in range(2 if number > 1 else 1 + 2 * number):
            path = tmp_path / "imagenet-a" / wnid / f"{k}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
    config.protocol["n_expected"] = 400
    from oodbench.data.sets.facts import data_sets

    facts = data_sets()["imagenet_a"]
    monkeypatch.setattr(facts, "n_files", 400)
    monkeypatch.setattr(facts.checks, "per_class", 2)
    found = inspect(config, tmp_path, Depth())
    assert sentences(found) == [
        f"2 class folders without the 2 files of each: {wnids[0]} has 1, {wnids[1]} has 3"
    ]
    shutil.move(tmp_path / "imagenet-a" / wnids[0], tmp_path / "imagenet-a" / "n01440764")
    found = inspect(config, tmp_path, Depth())
    assert f"1 class folder of 200 missing: {wnids[0]}" in sentences(found)


def one_of_several(val: Path) -> Path:
    """A picture, not the first one, whose class has others."""
    files = sorted(val.rglob("*.JPEG"), key=lambda file: file.name)
    return next(file for file in files[1:] if len(list(file.parent.iterdir())) > 1)


def test_a_copy_in_place_of_a_missing_picture(root: Path) -> None:
    val = root / "imagenet" / "val"
    first = next(val.rglob(NAMES[0]))
    shutil.copy(first, first.with_suffix(".jpg"))
    one_of_several(val).unlink()
    found = sentences(looked_at(root))
    assert found[0] == f"{N} files instead of 50,000"
    folder, stem = first.parent.name, first.stem
    said = f"1 picture there more than once: {folder}/{stem}.JPEG = {folder}/{stem}.jpg"
    assert said in found


def test_a_picture_of_another_name(root: Path) -> None:
    file = next((root / "imagenet" / "val").rglob(NAMES[0]))
    file.rename(file.with_name("copy.JPEG"))
    assert (
        "1 file of other names than in the archives, so that nothing says which class is right: "
        f"{file.parent.name}/copy.JPEG"
    ) in sentences(looked_at(root))


@pytest.mark.parametrize("link", [os.link, os.symlink], ids=["hard", "symbolic"])
def test_a_link_in_place_of_a_missing_picture(
    root: Path, link: Callable[[Path, Path], None]
) -> None:
    val = root / "imagenet" / "val"
    first, second = (next(val.rglob(name)) for name in NAMES[:2])
    second.unlink()
    link(first, second)
    names = sorted(path.relative_to(val).as_posix() for path in (first, second))
    said = f"1 file under several names, by links: {' = '.join(names)}"
    assert said in sentences(looked_at(root))


def test_a_tree_of_links_to_a_flat_folder(root: Path) -> None:
    val, flat = root / "imagenet" / "val", root / "flat"
    flat.mkdir()
    for file in sorted(val.rglob("*.JPEG")):
        file.rename(flat / file.name)
        file.symlink_to(flat / file.name)
    assert not [said for said in sentences(looked_at(root)) if "links" in said]


def test_pictures_beside_the_class_folders(root: Path) -> None:
    picture(root / "imagenet" / "val" / "ILSVRC2012_val_00000100.JPEG")
    said = "1 picture beside the class folders, in none: ILSVRC2012_val_00000100.JPEG"
    assert said in sentences(looked_at(root))


def test_clips_with_too_few_frames(tmp_path: Path) -> None:
    clips = tmp_path / "imagenet-p" / "tilt" / imagenet_wnids()[known(0)]
    frames = [np.zeros((32, 32, 3), np.uint8)] * 31
    write_clip(frames, clips / "ILSVRC2012_val_00000001.mp4")
    write_clip(frames[:30], clips / "ILSVRC2012_val_00000002.mp4")
    found = looked_at(tmp_path, "imagenet_p", deep=True)
    places = {Path(problem.place).name: problem.said for problem in found.problems}
    assert "ILSVRC2012_val_00000001.mp4" not in places
    assert "30" in places["ILSVRC2012_val_00000002.mp4"]
    assert any("in the folder of another class" in said for said in sentences(found))


def test_checksums_of_a_generated_folder(tmp_path: Path) -> None:
    cell = tmp_path / "imagenet-c" / "fog" / "1"
    files = [cell / imagenet_wnids()[known(k)] / NAMES[k] for k in range(2)]
    for file in files:
        picture(file, (224, 224))
    lines = [
        f"{sha256(file.read_bytes()).hexdigest()}  {file.parent.name}/{file.name}" for file in files
    ]
    (cell / "SHA256SUMS").write_text("\n".join([lines[0], lines[1].replace(lines[1][:8], "0" * 8)]))
    found = looked_at(tmp_path, "imagenet_c", deep=True)
    wrong = [problem.place for problem in found.problems if "sha256" in problem.said]
    assert wrong == [str(files[1])]


def test_a_zip_file_in_place_of_the_folder(tmp_path: Path) -> None:
    """A container may be read some day; it never ends the command."""
    (tmp_path / "imagenet").mkdir()
    with zipfile.ZipFile(tmp_path / "imagenet" / "val", "w") as archive:
        archive.writestr("n01440764/a.JPEG", b"x")
    found = looked_at(tmp_path)
    assert found.there
    assert not found.good


def test_demo_data_are_not_counted(root: Path) -> None:
    (root / DEMO_MARK).touch()
    found = looked_at(root)
    assert found.good
    assert found.demo


def test_what_was_sound_is_not_decoded_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from oodbench.benchmarks import folder

    looked_at(root, deep=True)
    decoded = []
    load = folder.load_picture
    monkeypatch.setattr(folder, "load_picture", lambda path: decoded.append(path) or load(path))
    file = next((root / "imagenet" / "val").rglob("*.JPEG"))
    picture(file, (40, 40))
    looked_at(root, deep=True)
    assert decoded == [file]
    decoded.clear()
    looked_at(root, deep=True)
    assert decoded == []


def test_an_interrupted_command_goes_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from oodbench.benchmarks import folder
    from oodbench.benchmarks.inspection import decoding

    monkeypatch.setattr(decoding, "_BLOCK", 8)
    decoded: list[Path] = []
    load = folder.load_picture

    def interrupted(path: Path) -> list[Image.Image]:
        if len(decoded) == 20:
            raise KeyboardInterrupt
        decoded.append(path)
        return load(path)

    monkeypatch.setattr(folder, "load_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        inspect(shipped_config("imagenet", root), root, Depth(decode=True))
    first, decoded = decoded, []
    monkeypatch.setattr(folder, "load_picture", lambda path: decoded.append(path) or load(path))
    looked_at(root, deep=True)
    assert len(first) == 20
    assert len(decoded) == N - 16
