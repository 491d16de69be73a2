"""Every data set: from archives with the official structure to the folder that benchmarks read."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from official_archives import (
    OFFICIAL,
    PASSWORD,
    imagenet_a,
    imagenet_c,
    imagenet_val,
    objectnet,
    picture,
    publish,
    stimuli,
    validation_names,
    write_devkit,
    write_tar,
)

from oodbench.core.errors import DataError, OodbenchError
from oodbench.data.archives.placing import How
from oodbench.data.archives.prepare import prepare
from oodbench.data.archives.request import Request
from oodbench.data.sets.facts import data_sets
from oodbench.reference import imagenet_wnids

Prepare = Callable[..., list[str]]


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    folder = tmp_path / "archives"
    folder.mkdir()
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Prepare:
    def prepared(
        name: str,
        *given: Path,
        verify: bool = False,
        how: How = How.COPY,
        password: bytes = PASSWORD,
    ) -> list[str]:
        lines: list[str] = []
        request = Request(
            data_set=data_sets()[name],
            given=given,
            root=tmp_path / "data",
            how=how,
            verify=verify,
            password=lambda: password,
            benchmark="a_benchmark",
        )
        prepare(request, lines.append)
        return lines

    return prepared


def tree(folder: Path) -> list[str]:
    """All files but hidden ones, by path."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in files if path.name[0] != ".")


EXPECTED = {
    "cue_conflict": ("cue-conflict", 8, "cat/cat1-dog1.png"),
    "imagenet_a": ("imagenet-a", 10, "n01498041/0_0.jpg"),
    "imagenet_c": ("imagenet-c", 19 * 5 * 2, "fog/5/n01751748/ILSVRC2012_val_00000001.JPEG"),
    "imagenet_o": ("imagenet-o", 10, "n01443537/0_0.JPEG"),
    "imagenet_p": ("imagenet-p", 20, "tilt/n09193705/ILSVRC2012_val_00000002.mp4"),
    "imagenet_r": ("imagenet-r", 10, "n01443537/0_0.jpg"),
    "imagenet_sketch": ("imagenet-sketch", 15, "n01440764/sketch_0.JPEG"),
    "imagenet_v2_matched_frequency": ("imagenet-v2/matched-frequency", 10, "n01484850/020.jpeg"),
    "imagenet_v2_threshold07": ("imagenet-v2/threshold0.7", 10, "n01530575/0a0.jpeg"),
    "imagenet_v2_topimages": ("imagenet-v2/top-images", 10, "n15075141/3e71.jpeg"),
    "imagenet_val": ("imagenet/val", 30, "n01751748/ILSVRC2012_val_00000001.JPEG"),
    "objectnet": ("objectnet", 4, "backpack/11abcdef.png"),
}
"""Place, number of files, and one file; class numbers of V2 and of the first two pictures of the
validation set (65 n01751748, 970 n09193705) as torchvision's list of classes has them."""


def test_all_data_sets_are_tried() -> None:
    assert set(EXPECTED) == set(OFFICIAL)


@pytest.mark.parametrize("name", EXPECTED)
def test_official_archives(
    name: str, archives: Path, run: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = OFFICIAL[name](archives)
    publish(monkeypatch, name, made)
    place, n_files, file = EXPECTED[name]
    lines = run(name, archives, verify=True)
    found = tree(tmp_path / "data" / place)
    assert len(found) == n_files
    assert file in found
    assert "sums as published" in lines[0]
    assert lines[-1].startswith("next: oodbench model=resnet50 benchmark=a_benchmark data.root=")
    beside = [path.name for path in (tmp_path / "data" / place).parent.iterdir()]
    assert [name for name in beside if name.endswith(".preparing")] == []
    for path in made:
        path.write_bytes(b"no longer read")
    assert run(name, archives) == lines


def test_contents_are_those_of_the_archive(archives: Path, run: Prepare, tmp_path: Path) -> None:
    run("imagenet_val", *imagenet_val(archives))
    for number, (name, label) in enumerate(validation_names(30).items()):
        path = tmp_path / "data" / "imagenet" / "val" / imagenet_wnids()[label] / name
        assert path.read_bytes() == picture(number)


def test_counts_other_than_the_official_ones_are_said(archives: Path, run: Prepare) -> None:
    lines = run("imagenet_a", *imagenet_a(archives))
    assert lines[0].startswith("imagenet_a: 10 of 7500 files in ")
    assert "not compared with a published sum: imagenet-a.tar" in lines[0]
    assert lines[1].startswith("warning: 7490 files missing: ")


def test_archives_of_a_data_set_come_one_by_one(
    archives: Path, run: Prepare, tmp_path: Path
) -> None:
    made = {path.name: path for path in imagenet_c(archives)}
    lines = run("imagenet_c", made["noise.tar"])
    assert lines[1] == (
        "missing: blur.tar, digital.tar, weather.tar: "
        "run the same command with --from where they are"
    )
    made["noise.tar"].unlink()
    run("imagenet_c", made["extra.tar"])
    lines = run("imagenet_c", archives)
    assert lines[0].startswith("imagenet_c: 150 of 3750000 files in ")
    assert "and 40 from optional archives" in lines[0]
    assert len(tree(tmp_path / "data" / "imagenet-c")) == 190


def test_archives_of_the_same_name_lie_in_a_folder_of_the_data_set(
    archives: Path, run: Prepare, tmp_path: Path
) -> None:
    for name in ("imagenet_c", "imagenet_p"):
        (archives / name).mkdir()
        OFFICIAL[name](archives / name)
    run("imagenet_p", archives)
    assert tree(tmp_path / "data" / "imagenet-p")[0].endswith(".mp4")


@pytest.mark.parametrize("how", How)
def test_flat_folder_is_sorted(how: How, run: Prepare, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, name in enumerate(validation_names(30)):
        (flat / name).write_bytes(picture(number))
    lines = run("imagenet_val", flat, how=how)
    val = tmp_path / "data" / "imagenet" / "val"
    assert len(tree(val)) == 30
    assert lines[0].startswith("imagenet_val: 30 of 50000 files in ")
    assert len(tree(flat)) == (0 if how is How.MOVE else 30)
    path = val / EXPECTED["imagenet_val"][2]
    assert path.read_bytes() == picture(0)
    if how is How.LINK:
        assert path.samefile(flat / path.name)
        assert not path.is_symlink()


@pytest.mark.parametrize("sorted_wrongly", [False, True])
def test_folder_in_its_own_place_is_sorted_there(
    sorted_wrongly: bool, run: Prepare, tmp_path: Path
) -> None:
    val = tmp_path / "data" / "imagenet" / "val"
    for number, name in enumerate(validation_names(30)):
        path = val / (f"{imagenet_wnids()[number // 2]}/{name}" if sorted_wrongly else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    (val / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="own place: sort them there with --move"):
        run("imagenet_val", val)
    run("imagenet_val", val, how=How.MOVE)
    assert tree(val) == sorted(
        ["notes.txt"]
        + [f"{imagenet_wnids()[label]}/{name}" for name, label in validation_names(30).items()]
    )
    run("imagenet_val", val, how=How.MOVE)


def test_folder_of_the_authors_repository(run: Prepare, tmp_path: Path) -> None:
    for name, content in stimuli("stimuli/style-transfer-preprocessed-512").items():
        path = tmp_path / "texture-vs-shape" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "texture-vs-shape" / "README.md").write_text("materials")
    run("cue_conflict", tmp_path / "texture-vs-shape")
    assert EXPECTED["cue_conflict"][2] in tree(tmp_path / "data" / "cue-conflict")


def test_two_files_for_one_place_are_refused(run: Prepare, tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / "pictures" / place).mkdir(parents=True)
        (tmp_path / "pictures" / place / "ILSVRC2012_val_00000001.JPEG").write_bytes(b"")
    with pytest.raises(DataError, match="refused: a second file for the place n01751748/"):
        run("imagenet_val", tmp_path / "pictures")


def test_devkit_that_contradicts_the_shipped_list(archives: Path, run: Prepare) -> None:
    made = imagenet_val(archives, devkit=False)
    labels = list(validation_names(50_000).values())
    labels[7] = 3
    with pytest.raises(DataError, match=r"says n01491361 of picture 8, the shipped list .* 1 pict"):
        run("imagenet_val", *made, write_devkit(archives, labels))


def test_without_the_devkit_the_shipped_list_has_the_labels(
    archives: Path, run: Prepare, tmp_path: Path
) -> None:
    run("imagenet_val", *imagenet_val(archives, devkit=False))
    assert EXPECTED["imagenet_val"][2] in tree(tmp_path / "data" / "imagenet" / "val")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-1000], r"bytes, the published .* has \d+: cut off; download"),
        (lambda content: content + b"more", r"bytes, the published .* has \d+: another file"),
        (lambda content: content[:2000] + b"!" + content[2001:], "sha256 .*: damaged, or another"),
    ],
)
def test_other_bytes_than_published(
    change: Callable[[bytes], bytes],
    message: str,
    archives: Path,
    run: Prepare,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (path,) = imagenet_a(archives)
    publish(monkeypatch, "imagenet_a", [path])
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=message):
        run("imagenet_a", path, verify=True)
    assert tree(tmp_path / "data") == []
    assert [p.name for p in (tmp_path / "data").iterdir() if p.is_dir()] == []


@pytest.mark.parametrize("name", ["imagenet_a", "imagenet_sketch", "cue_conflict"])
def test_damaged_archives_without_a_published_sum(
    name: str, archives: Path, run: Prepare, tmp_path: Path
) -> None:
    (path,) = OFFICIAL[name](archives)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(DataError, match=r"damaged or no|cut off"):
        run(name, path)
    assert tree(tmp_path / "data") == []


def test_web_page_in_place_of_an_archive(archives: Path, run: Prepare) -> None:
    (archives / "imagenet-a.tar").write_text("<!DOCTYPE html><html>Log in</html>")
    with pytest.raises(DataError, match="a web page, not an archive"):
        run("imagenet_a", archives)


def test_place_that_something_else_has_taken(archives: Path, run: Prepare, tmp_path: Path) -> None:
    (tmp_path / "data" / "imagenet-a" / "n01498041").mkdir(parents=True)
    with pytest.raises(DataError, match="there already, and not made by this command"):
        run("imagenet_a", *imagenet_a(archives))


def test_empty_place_is_taken(archives: Path, run: Prepare, tmp_path: Path) -> None:
    (tmp_path / "data" / "imagenet-a").mkdir(parents=True)
    run("imagenet_a", *imagenet_a(archives))
    assert len(tree(tmp_path / "data" / "imagenet-a")) == 10


def test_folders_that_were_removed_since(archives: Path, run: Prepare, tmp_path: Path) -> None:
    run("imagenet_a", *imagenet_a(archives))
    (tmp_path / "data" / "imagenet-a" / "n01498041").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="4 folders, 5 when it was prepared"):
        run("imagenet_a", archives)


def test_too_little_room(
    archives: Path, run: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = imagenet_a(archives)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("", (), {"free": 10})())
    with pytest.raises(DataError, match=r"0\.0 GB free, about 0\.0 GB needed: make room"):
        run("imagenet_a", *made)


@pytest.mark.parametrize("password", [b"wrong", b"", b"wrong too"])
def test_wrong_password(password: bytes, archives: Path, run: Prepare, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="password is wrong"):
        run("objectnet", *objectnet(archives), password=password)
    assert tree(tmp_path / "data") == []


def test_no_archive_there(archives: Path, run: Prepare, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither archives \(imagenet-a.tar\) nor pictures"):
        run("imagenet_a", archives)
    with pytest.raises(DataError, match="no such file or folder"):
        run("imagenet_a", tmp_path / "nowhere")
    with pytest.raises(DataError, match="none of the archives of imagenet_c, which are blur.tar"):
        run("imagenet_c", write_tar(archives / "corrupted.tar", {}))


def test_archive_of_another_data_set(archives: Path, run: Prepare) -> None:
    made = write_tar(archives / "imagenet-a.tar", {"dogs/1.jpg": picture(1)})
    with pytest.raises(DataError, match="no pictures of imagenet_a in it: another archive"):
        run("imagenet_a", made)


def test_data_set_that_names_no_arrangement(
    archives: Path, run: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_sets()["imagenet_a"], "arrange", None)
    with pytest.raises(OodbenchError, match=re.escape("cannot be prepared from archives; https:")):
        run("imagenet_a", *imagenet_a(archives))
