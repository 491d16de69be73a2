"""ImageNet-C and ImageNet-P: both layouts of the archives, what is missing, and the clips."""

import shutil
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from published_names import PERTURBATIONS

from oodbench.benchmarks.base import Split
from oodbench.benchmarks.trees import ImageNetC, ImageNetP, find_trees
from oodbench.core.errors import DataError, DiskError
from oodbench.data.clips import write_clip

TENCH, TISSUE = "n01440764", "n15075141"
# Hendrycks & Dietterich 2019, section 4.1; the archives of the data set.
ARCHIVES_C = {
    "noise": ["gaussian_noise", "shot_noise", "impulse_noise"],
    "blur": ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur"],
    "weather": ["snow", "frost", "fog", "brightness"],
    "digital": ["contrast", "elastic_transform", "pixelate", "jpeg_compression"],
    "extra": ["speckle_noise", "spatter", "gaussian_blur", "saturate"],
}
TEST_C = [name for archive in list(ARCHIVES_C)[:4] for name in ARCHIVES_C[archive]]
VALIDATION = ("speckle_noise", "gaussian_blur", "spatter", "shear")

Make = Callable[..., Path]


def by_name(splits: list[Split]) -> dict[str, list[tuple[str, int]]]:
    """Items of every split as (path below the corruption, label)."""
    return {
        split.name: [
            (item.image.rsplit(split.name + "/", 1)[1], item.label) for item in split.list_items()
        ]
        for split in splits
    }


def make_cells(root: Path, make_picture: Make, archives: dict[str, list[str]]) -> None:
    """Two classes with one and two pictures in every cell; archive "" is none."""
    for archive, names in archives.items():
        for name in names:
            for severity in range(1, 6):
                cell = root / archive / name / str(severity)
                for place in (f"{TENCH}/b", f"{TENCH}/a", f"{TISSUE}/c"):
                    make_picture(cell / f"{place}.JPEG", side=2)


def imagenet_c(root: Path) -> ImageNetC:
    return ImageNetC(root=str(root), n_expected=50000)


def test_flat_and_grouped_trees_are_the_same(tmp_path: Path, make_picture: Make) -> None:
    make_cells(tmp_path / "grouped", make_picture, ARCHIVES_C)
    make_cells(tmp_path / "flat", make_picture, {"": sum(ARCHIVES_C.values(), [])})
    flat = list(imagenet_c(tmp_path / "flat").splits())
    grouped = list(imagenet_c(tmp_path / "grouped").splits())
    assert by_name(flat) == by_name(grouped)
    assert list(by_name(flat)) == list(by_name(grouped))
    names = sum(ARCHIVES_C.values(), [])
    expected = {f"{name}/{severity}" for name in names for severity in range(1, 6)}
    assert set(by_name(flat)) == expected
    assert len(flat) == 95
    assert by_name(flat)["fog/3"] == [
        (f"{TENCH}/a.JPEG", 0),
        (f"{TISSUE}/c.JPEG", 999),
        (f"{TENCH}/b.JPEG", 0),
    ]
    assert [split.fingerprint for split in flat] == [split.fingerprint for split in grouped]
    for split in [*flat[:6], *grouped[:6]]:
        assert (split.n_items, split.n_expected) == (3, 50000)
        assert all((split.root / item.image).is_file() for item in split.list_items())
    assert not imagenet_c(tmp_path / "flat").missing_splits()
    assert not imagenet_c(tmp_path / "grouped").missing_splits()


def test_the_extra_corruptions_are_never_missing(tmp_path: Path, make_picture: Make) -> None:
    make_cells(tmp_path, make_picture, {"noise": ["gaussian_noise"]})
    missing = imagenet_c(tmp_path).missing_splits()
    assert sorted(missing) == sorted(
        f"{name}/{k}" for name in TEST_C if name != "gaussian_noise" for k in range(1, 6)
    )


def test_a_missing_severity(tmp_path: Path, make_picture: Make) -> None:
    make_cells(tmp_path, make_picture, {"weather": ["fog"]})
    shutil.rmtree(tmp_path / "weather" / "fog" / "4")
    benchmark = imagenet_c(tmp_path)
    assert [split.name for split in benchmark.splits()] == ["fog/1", "fog/2", "fog/3", "fog/5"]
    missing = benchmark.missing_splits()
    assert [name for name in missing if name.startswith("fog")] == ["fog/4"]
    assert len(missing) == 71


def test_extras_are_scored_where_present(tmp_path: Path, make_picture: Make) -> None:
    make_cells(tmp_path, make_picture, {"extra": ["saturate"], "weather": ["fog"]})
    benchmark = imagenet_c(tmp_path)
    names = [split.name for split in benchmark.splits()]
    assert "saturate/1" in names
    labels = np.array([0, 0, 0, 0], np.int16)
    # Wrong in one of four for fog, in three of four for saturate.
    wrong = {"fog": 1, "saturate": 3}
    records = [
        (
            name,
            pd.DataFrame(
                {
                    "image": [f"{name}/{TENCH}/{k}.JPEG" for k in range(4)],
                    "label": labels,
                    "prediction": (np.arange(4) < wrong[name[:-2]]).astype(np.int16),
                    "top5": [[0, 1, 2, 3, 4]] * 4,
                }
            ),
        )
        for name in names
    ]
    scores = benchmark.score(iter(records))
    for severity in range(1, 6):
        assert scores[f"fog/{severity}"]["error"].value == pytest.approx(0.25)
        assert scores[f"saturate/{severity}"]["error"].value == pytest.approx(0.75)
        assert scores[f"saturate/{severity}"]["top1"].value == pytest.approx(0.25)


def test_no_corruption(tmp_path: Path) -> None:
    (tmp_path / "imagenet-c" / "jpeg").mkdir(parents=True)
    with pytest.raises(DataError, match=r"imagenet-c: no ImageNet-C corruption; .*found: jpeg"):
        imagenet_c(tmp_path / "imagenet-c").splits()


@pytest.mark.parametrize("kind", ["c", "p"])
def test_missing_root(tmp_path: Path, kind: str) -> None:
    root = str(tmp_path / "gone")
    benchmark = (
        ImageNetC(root=root, n_expected=1) if kind == "c" else ImageNetP(root=root, n_expected=1)
    )
    with pytest.raises(DataError, match=r"gone: no such folder; set data\.root"):
        benchmark.splits()


def test_a_cell_with_an_unknown_class(tmp_path: Path, make_picture: Make) -> None:
    make_cells(tmp_path, make_picture, {"": ["fog"]})
    make_picture(tmp_path / "fog" / "2" / "tench" / "a.JPEG")
    with pytest.raises(DataError, match=r"fog/2/tench: not a synset id"):
        imagenet_c(tmp_path).splits()


def test_an_empty_cell(tmp_path: Path) -> None:
    (tmp_path / "fog" / "1").mkdir(parents=True)
    with pytest.raises(DataError, match=r"fog/1: empty; expected class folders"):
        imagenet_c(tmp_path).splits()


def test_a_tree_at_the_top_goes_before_one_below(tmp_path: Path) -> None:
    (tmp_path / "a" / "fog").mkdir(parents=True)
    (tmp_path / "a" / "snow").mkdir()
    (tmp_path / "fog").mkdir()
    found = find_trees(tmp_path, ["snow", "fog", "frost"])
    assert found == {"snow": tmp_path / "a" / "snow", "fog": tmp_path / "fog"}


# Clips


def frames(n: int) -> list[np.ndarray]:
    """A grey level that rises from frame to frame."""
    levels = np.linspace(20, 230, n).astype(np.uint8)
    return [np.full((16, 32, 3), level, np.uint8) for level in levels]


def make_clips(root: Path, places: list[str]) -> None:
    for place in places:
        for wnid in (TENCH, TISSUE):
            write_clip(frames(3), root / place / wnid / "ILSVRC2012_val_00000001.mp4")


def imagenet_p(root: Path) -> ImageNetP:
    return ImageNetP(root=str(root), n_expected=50000, validation=VALIDATION)


def test_p_flat_and_grouped_trees_are_the_same(tmp_path: Path) -> None:
    make_clips(tmp_path / "flat", ["snow", "tilt", "shear"])
    make_clips(tmp_path / "grouped", ["weather/snow", "digital/tilt", "validation/shear"])
    flat = list(imagenet_p(tmp_path / "flat").splits())
    grouped = list(imagenet_p(tmp_path / "grouped").splits())
    assert by_name(flat) == by_name(grouped)
    assert [split.name for split in flat] == ["snow", "tilt", "shear"]
    assert [item.label for item in flat[0].list_items()] == [0, 999]
    assert [split.fingerprint for split in flat] == [split.fingerprint for split in grouped]


def test_p_missing_are_the_test_perturbations_only(tmp_path: Path) -> None:
    make_clips(tmp_path, ["snow", "spatter"])
    missing = imagenet_p(tmp_path).missing_splits()
    assert sorted(missing) == sorted(name for name in PERTURBATIONS if name != "snow")


def test_p_only_clips_are_items(tmp_path: Path, make_picture: Make) -> None:
    make_clips(tmp_path, ["snow"])
    make_picture(tmp_path / "snow" / TENCH / "a.JPEG")
    (split,) = imagenet_p(tmp_path).splits()
    assert split.n_items == 2
    assert all(item.image.endswith(".mp4") for item in split.list_items())


def test_p_no_perturbation(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    with pytest.raises(DataError, match=r"no ImageNet-P perturbation; .*found: .*val"):
        imagenet_p(tmp_path).splits()


@pytest.mark.parametrize("n", [2, 31, 41])
def test_all_frames_come_back_in_order(tmp_path: Path, n: int) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(frames(n), path)
    loaded = imagenet_p(tmp_path).load(path)
    assert len(loaded) == n
    for picture, frame in zip(loaded, frames(n), strict=True):
        assert (picture.mode, picture.size) == ("RGB", (32, 16))
        # H.264 in yuv420p is lossy; the steps between 41 frames are 5 grey levels.
        assert np.abs(np.asarray(picture).astype(int) - frame.astype(int)).max() <= 4


@pytest.mark.parametrize("place", ["translate", "spatial/translate", "tilt", "shear"])
def test_published_clips_have_31_frames_and_those_of_translate_41(
    tmp_path: Path, place: str
) -> None:
    expected = 41 if place.endswith("translate") else 31
    for n in (29, 31, 41):
        path = tmp_path / place / TENCH / "a.mp4"
        write_clip(frames(n), path)
        if n == expected:
            assert len(imagenet_p(tmp_path).load(path)) == n
            continue
        name = place.rpartition("/")[2]
        told = rf"a\.mp4: {n} frames, and a clip of {name} has {expected}; get the file again$"
        with pytest.raises(DataError, match=told):
            imagenet_p(tmp_path).load(path)


def test_other_clips_have_as_many_frames_as_their_files_say(tmp_path: Path) -> None:
    """A perturbation of one's own may have any number of them."""
    path = tmp_path / "mine" / TENCH / "a.mp4"
    write_clip(frames(5), path)
    assert len(imagenet_p(tmp_path).load(path)) == 5
    content = path.read_bytes()
    # Where the clip begins, in its edit list: two frames later, so that they are not shown.
    place = content.index(b"elst") + 16
    ticks = int.from_bytes(content[content.index(b"mdhd") + 16 :][:4], "big")  # of a second
    begin = int.from_bytes(content[place : place + 4], "big") + 2 * ticks
    path.write_bytes(content[:place] + begin.to_bytes(4, "big") + content[place + 4 :])
    told = r"a\.mp4: 3 frames, and the file says it has 5; get the file again$"
    with pytest.raises(DataError, match=told):
        imagenet_p(tmp_path).load(path)


def test_damage_that_the_decoder_hides_is_an_error(tmp_path: Path) -> None:
    """It fills in from other frames and goes on; of 40 flipped bits it tells of more than ten."""
    path = tmp_path / "mine" / TENCH / "a.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    write_clip(list(noise), path)
    whole = path.read_bytes()
    begin, end = whole.index(b"mdat") + 4, whole.index(b"moov") - 4
    told = 0
    for place in np.linspace(begin + 800, end - 1, 40).astype(int):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            assert len(imagenet_p(tmp_path).load(path)) == 4
        except DataError as error:
            told += "is damaged; get the file again" in str(error)
    assert told > 10


def test_a_clip_of_one_frame(tmp_path: Path) -> None:
    write_clip(frames(1), tmp_path / "one.mp4")
    with pytest.raises(DataError, match=r"one\.mp4: 1 frames; a clip needs at least 2"):
        imagenet_p(tmp_path).load(tmp_path / "one.mp4")


def test_a_clip_without_frames(tmp_path: Path) -> None:
    path = tmp_path / "none.mp4"
    with av.open(str(path), "w", format="mp4", options={"movflags": "empty_moov"}) as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        container.start_encoding()
    with pytest.raises(DataError, match=r"none\.mp4: "):
        imagenet_p(tmp_path).load(path)


def test_sound_only(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    with pytest.raises(DataError, match=r"sound\.mp4: no video in it"):
        imagenet_p(tmp_path).load(path)


def test_a_clip_cut_anywhere_names_the_file(tmp_path: Path) -> None:
    """The table of contents is at the end of the file: without it there is no clip."""
    path = tmp_path / "cut.mp4"
    write_clip(frames(5), path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 40, 61):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut\.mp4: ") as raised:
            imagenet_p(tmp_path).load(path)
        assert "\n" not in str(raised.value)


def test_a_missing_clip(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"gone\.mp4: no longer there: "):
        imagenet_p(tmp_path).load(tmp_path / "gone.mp4")
