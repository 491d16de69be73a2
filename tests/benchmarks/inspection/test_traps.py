"""Every usual way in which a tree is wrong, built, and the sentence that says so."""

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from in_process import go_there, planned
from PIL import Image

from oodbench.benchmarks.base import Item
from oodbench.benchmarks.inspection.configs import shipped_config
from oodbench.benchmarks.inspection.finding import Inspection
from oodbench.benchmarks.inspection.inspect import Depth, inspect
from oodbench.benchmarks.inspection.labels import wrong_labels
from oodbench.cli.data import main
from oodbench.core.errors import DataError
from oodbench.data.clips import write_clip
from oodbench.data.manifest import DEMO_MARK
from oodbench.evaluation.execute import execute
from oodbench.reference import class_lists, imagenet_wnids, known_names, validation_labels
from oodbench.runs.plan import Plan
from oodbench.runs.results import RunResult

N = 60
NAMES = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, N + 1)]
FOLDERS = len(set(validation_labels()[:N]))
REPAIR = "oodbench-data prepare imagenet --from ARCHIVES --to"


def items(label_of: Callable[[int], int], n: int = 2000) -> list[Item]:
    """The first validation pictures, with the labels of a tree."""
    wnids = imagenet_wnids()
    return [
        Item(f"{wnids[label_of(k)]}/ILSVRC2012_val_{k + 1:08d}.JPEG", label_of(k)) for k in range(n)
    ]


def said_of(found: list[Item]) -> str:
    return wrong_labels(found, known_names()["imagenet_val"])


def known(position: int) -> int:
    return validation_labels()[position]


def test_the_right_labels_are_right() -> None:
    assert said_of(items(known, 50_000)) == ""


@pytest.mark.parametrize(("by", "word"), [(1, "after"), (-1, "before")])
def test_labels_shifted_by_one(by: int, word: str) -> None:
    said = said_of(items(lambda k: validation_labels()[k + by]))
    shifted = "labels are shifted by one: pictures lie in the folder of the picture"
    assert said.startswith(f"{shifted} {word} them, such as ")


def test_classes_in_another_order() -> None:
    order = np.random.default_rng(0).permutation(1000).tolist()
    said = said_of(items(lambda k: order[known(k)]))
    assert said.startswith("classes are in another order, each in the folder of another one")
    assert "ILSVRC2012_ID" in said


def test_class_numbers_that_were_sorted_as_text() -> None:
    """0, 1, 10, 100, …: what a loader makes of folders named by numbers."""
    order = sorted(range(1000), key=str)
    said = said_of(items(lambda k: order.index(known(k))))
    assert said.startswith("classes are in the order of numbers that were sorted as text (0, 1, 10")


def test_some_pictures_in_a_wrong_folder() -> None:
    said = said_of(items(lambda k: 7 if k in (3, 50) else known(k)))
    assert said.startswith("2 of 2000 pictures lie in the folder of another class, such as ")
    assert "/ILSVRC2012_val_00000004.JPEG, a " in said
    assert said.endswith("in the folder of cock")


def test_labels_at_random() -> None:
    generator = np.random.default_rng(0)
    said = said_of(items(lambda _: int(generator.integers(1000))))
    assert "pictures lie in the folder of another class" in said


def test_numbers_that_no_picture_has() -> None:
    said = said_of([Item("n01440764/ILSVRC2012_val_00050001.JPEG", 0)])
    assert said.endswith("there is no picture of this number, only 1 to 50,000")


def test_other_names_say_nothing() -> None:
    assert said_of([Item("n01440764/tench.JPEG", 5)]) == ""


def picture(path: Path, size: tuple[int, int] = (32, 32)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 120, 40)).save(path, "JPEG")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The first pictures of the validation set, sorted well."""
    for number, name in enumerate(NAMES):
        picture(tmp_path / "imagenet" / "val" / imagenet_wnids()[known(number)] / name)
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
    assert sentences(looked_at(root)) == [
        f"{N} pictures without class folders, of which every label would be the same"
    ]


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
        (tmp_path / "imagenet-a" / str(number) / "1.jpg").touch()
    (found,) = sentences(looked_at(tmp_path, "imagenet_a"))
    assert found.startswith(said)


def test_a_tree_that_is_shifted(root: Path) -> None:
    val = root / "imagenet" / "val"
    moved = root / "moved"
    for number, name in enumerate(NAMES):
        target = moved / imagenet_wnids()[known(number + 1)] / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (val / imagenet_wnids()[known(number)] / name).rename(target)
    shutil.rmtree(val)
    moved.rename(val)
    assert any(said.startswith("labels are shifted by one") for said in sentences(looked_at(root)))


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


def test_the_command_says_all_of_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--data-root", str(root)]) == 1
    val = root / "imagenet" / "val"
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        f"imagenet: 3 problems, {N} of 50,000 files, {val}",
        f"  {val}: {N} files instead of 50,000: {REPAIR} {root}",
    ]
    assert main(["check", "imagenet_a", "--data-root", str(root), "--json", "-"]) == 1
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["benchmark"], one["there"], one["good"]) == ("imagenet_a", False, False)
    with pytest.raises(SystemExit) as ended:
        main(["check", "--no-such-option"])
    assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended:
        main(["check", "nothing", "--data-root", str(root)])
    assert ended.value.code == 2
    assert "nothing: no such benchmark" in capsys.readouterr().err


def test_a_good_tree_has_exit_code_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from oodbench.cli import data_check

    for wnid in class_lists()["imagenet_a"]:
        picture(tmp_path / "imagenet-a" / wnid / "a.jpg")
    config = shipped_config("imagenet_a", tmp_path)
    config.protocol["n_expected"] = 200
    monkeypatch.setattr(data_check, "shipped_config", lambda *_: config)
    assert main(["check", "imagenet_a", "--data-root", str(tmp_path), "--deep"]) == 0
    place = tmp_path / "imagenet-a"
    said = capsys.readouterr().out
    assert said == f"imagenet_a: good, 200 of 200 files, {place}, all decoded\n"


def test_the_list_says_what_is_there(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--data-root", str(root)]) == 0
    lines = capsys.readouterr().out.partition("Their data sets")[0].splitlines()
    rows = {line.split()[0]: line.split() for line in lines if line}
    assert rows["imagenet"][1:5] == ["IN", "50,000", f"{N}", "files"]
    assert rows["imagenet_a"][2:5] == ["7,500", "not", "there"]
    assert main(["list", "--data-root", str(root), "--json", "-"]) == 0
    (one,) = [
        row for row in json.loads(capsys.readouterr().out) if row["benchmark"] == "imagenet_a"
    ]
    assert one["data_set"]["licence"] == "MIT"
    assert one["state"] == "not there"
    (root / DEMO_MARK).touch()
    assert main(["list", "--data-root", str(root)]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines()[1:])) <= 100
    assert "demo data" in said
    assert "ImageNet-A: 7,500 natural pictures" in said


@pytest.fixture
def shifted(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy model's folder with validation pictures, each in the folder of the next one."""
    go_there(toy, monkeypatch)
    val = toy / "data" / "imagenet" / "val"
    shutil.rmtree(val)
    for number, name in enumerate(NAMES[:24]):
        picture(val / imagenet_wnids()[known(number + 1)] / name)
    return val


def computed(plan: Plan) -> RunResult:
    result = execute(plan)
    assert result is not None
    return result


def test_a_run_on_wrong_labels_does_not_begin(shifted: Path) -> None:
    with pytest.raises(DataError) as refused:
        execute(planned("benchmark=imagenet"))
    said = str(refused.value)
    assert said.startswith("data/imagenet/val: labels are shifted by one")
    assert said.endswith(f"{REPAIR} data, or set data.check=off")
    assert "\n" not in said


def test_it_may_be_told_to(shifted: Path) -> None:
    result = computed(planned("benchmark=imagenet", "data.check=off"))
    assert "data.check=off: labels were not compared with the known list" in result.notes


def test_the_verdict_is_remembered(shifted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from oodbench.runs import label_check

    calls = []
    monkeypatch.setattr(label_check, "label_problem", lambda found, _: calls.append(found) or "")
    computed(planned("benchmark=imagenet", "limit=2"))
    computed(planned("benchmark=imagenet", "limit=4"))
    assert len(calls) == 1
