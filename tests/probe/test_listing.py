import os
import re
from pathlib import Path

import pytest
from toys import WNIDS, write_pictures

from oodbench.core.errors import DataError
from oodbench.probe.listing import find_pictures
from oodbench.probe.schema import ProbeDataConfig
from oodbench.reference import imagenet_wnids


def config(root: Path, **changed: object) -> ProbeDataConfig:
    values: dict[str, object] = {
        "root": str(root),
        "train_root": str(root / "train"),
        "val_root": str(root / "val"),
        "train_expected": 10,
        "val_expected": 5,
        "allow_partial": True,
    }
    return ProbeDataConfig(**(values | changed))  # type: ignore[arg-type]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "train", per_class=2)
    write_pictures(tmp_path / "val", per_class=1, wnids=WNIDS[1:3])
    return tmp_path


def test_labels_are_positions_in_imagenet_not_among_the_folders(root: Path) -> None:
    classes, train, val = find_pictures(config(root))
    assert len(classes) == 1000
    # n01440764 tench, n01443537 goldfish, n01484850 great white shark, n01491361 tiger shark,
    # n01498041 stingray are classes 0, 1, 2, 3 and 6.
    assert train.pictures(classes).labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 6, 6]
    pictures = val.pictures(classes)
    assert pictures.labels.tolist() == [1, 2]
    assert pictures.path(1) == root / "val" / WNIDS[2] / f"{WNIDS[2]}_000.JPEG"


def test_folders_as_classes(root: Path) -> None:
    classes, train, val = find_pictures(config(root, classes="folders", allow_partial=False))
    assert classes == list(WNIDS)
    assert train.pictures(classes).labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert val.pictures(classes).labels.tolist() == [1, 2]


def test_fingerprint_follows_the_files(root: Path) -> None:
    before = find_pictures(config(root))[1].summary
    assert before.n_files == 10
    (root / "train" / WNIDS[0] / "new.PNG").write_bytes(b"x")
    after = find_pictures(config(root))[1].summary
    assert after.n_files == 11
    assert after.fingerprint != before.fingerprint


def test_file_names_need_not_be_utf8(root: Path) -> None:
    (root / "val" / WNIDS[1] / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    classes, _, val = find_pictures(config(root))
    assert any(val.pictures(classes).path(i).name == "caf\udce9.png" for i in range(3))


@pytest.mark.parametrize("name", ["train", "val"])
def test_missing_folder(tmp_path: Path, name: str) -> None:
    write_pictures(tmp_path / ("val" if name == "train" else "train"), per_class=1)
    said = f"{tmp_path / name}: no such folder; set data.root=DIR or data.{name}_root=DIR"
    with pytest.raises(DataError, match=re.escape(said)):
        find_pictures(config(tmp_path))


def test_flat_folder(root: Path, tmp_path: Path) -> None:
    flat = root / "val" / WNIDS[1]
    with pytest.raises(DataError, match="flat, 1 files and no class folders"):
        find_pictures(config(root, val_root=str(flat)))


def test_folder_that_is_no_synset(root: Path) -> None:
    (root / "train" / "cats").mkdir()
    said = f"{root / 'train' / 'cats'}: not a synset id of ImageNet-1k (1 such folders)"
    with pytest.raises(DataError, match=re.escape(said)):
        find_pictures(config(root))


def test_validation_class_that_is_not_trained(root: Path) -> None:
    write_pictures(root / "val", per_class=1, wnids=("zebra",))
    with pytest.raises(DataError, match="zebra: .*train has no folder of that name"):
        find_pictures(config(root, classes="folders"))


def test_missing_classes(root: Path) -> None:
    said = r"train: 995 of 1000 classes missing \(n01494475, .*set data.allow_partial=true"
    with pytest.raises(DataError, match=said):
        find_pictures(config(root, allow_partial=False))


def test_missing_pictures(tmp_path: Path) -> None:
    for name in ("train", "val"):
        for wnid in imagenet_wnids():
            (tmp_path / name / wnid).mkdir(parents=True)
            (tmp_path / name / wnid / "a.JPEG").write_bytes(b"")
    full = config(tmp_path, allow_partial=False, train_expected=1000, val_expected=1000)
    classes, train, _ = find_pictures(full)
    assert train.pictures(classes).labels.tolist() == list(range(1000))
    with pytest.raises(DataError, match=r"val: 1000 pictures, ImageNet has 50000; complete"):
        find_pictures(
            config(tmp_path, allow_partial=False, train_expected=1000, val_expected=50000)
        )
