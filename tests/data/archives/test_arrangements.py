"""Where members go, and what is left out."""

import pytest

from oodbench.core.errors import DataError
from oodbench.data.archives.arrangements.table import arrangement
from oodbench.data.sets.facts import data_sets


def place(data_set: str, path: str) -> str | None:
    parts = arrangement(data_sets()[data_set], {}).place(tuple(path.split("/")))
    return None if parts is None else "/".join(parts)


@pytest.mark.parametrize(
    ("data_set", "member", "goes_to"),
    [
        ("imagenet_a", "imagenet-a/n01498041/a b.JPG", "n01498041/a b.JPG"),
        ("imagenet_a", "n01498041/x.jpg", "n01498041/x.jpg"),
        ("imagenet_a", "imagenet-a/README.txt", None),
        ("imagenet_a", "imagenet-a/n01498041/._x.jpg", None),
        ("imagenet_a", "imagenet-a/n00000000/x.jpg", None),
        ("imagenet_c", "fog/3/n01440764/x.JPEG", "fog/3/n01440764/x.JPEG"),
        ("imagenet_c", "weather/fog/3/n01440764/x.JPEG", "fog/3/n01440764/x.JPEG"),
        ("imagenet_c", "3/n01440764/x.JPEG", None),
        ("imagenet_c", "fog/3/n01440764/x.txt", None),
        ("imagenet_p", "noise/shot_noise_2/n01440764/x.mp4", "shot_noise_2/n01440764/x.mp4"),
        ("imagenet_p", "n01440764/x.mp4", None),
        ("imagenet_sketch", "sketch/n01440764/sketch_7.JPEG", "n01440764/sketch_7.JPEG"),
        ("imagenet_sketch", "__MACOSX/sketch/n01440764/._sketch_7.JPEG", None),
        ("imagenet_v2_topimages", "top/10/ab.jpeg", "n01530575/ab.jpeg"),
        ("imagenet_v2_topimages", "top/2/ab.jpeg", "n01484850/ab.jpeg"),
        ("imagenet_v2_topimages", "top/labels/ab.jpeg", None),
        ("imagenet_val", "ILSVRC2012_val_00000001.JPEG", "n01751748/ILSVRC2012_val_00000001.JPEG"),
        (
            "imagenet_val",
            "a/b/ILSVRC2012_val_00050000.jpeg",
            "n02437616/ILSVRC2012_val_00050000.jpeg",
        ),
        ("imagenet_val", "ILSVRC2012_test_00000001.JPEG", None),
        ("objectnet", "objectnet-1.0/images/backpack/0a.png", "backpack/0a.png"),
        ("objectnet", "objectnet-1.0/images/air_freshener/0a.png", None),
        ("objectnet", "objectnet-1.0/mappings/folder_to_objectnet_label.json", None),
        ("cue_conflict", "cue-conflict/cat/cat7-elephant1.png", "cat/cat7-elephant1.png"),
        ("cue_conflict", "flat/cat7-elephant1.png", "cat/cat7-elephant1.png"),
        ("cue_conflict", "stimuli/edges/cat/cat7.png", None),
        ("cue_conflict", "stimuli/cat/cat7-zebra1.png", None),
    ],
)
def test_places(data_set: str, member: str, goes_to: str | None) -> None:
    """Classes: 2 is n01484850, 10 n01530575; of the validation pictures 1 (65) and 50,000 (355)."""
    assert place(data_set, member) == goes_to


@pytest.mark.parametrize(
    ("data_set", "member", "message"),
    [
        ("imagenet_v2_topimages", "top/1000/ab.jpeg", "1000 is no class number from 0 to 999"),
        ("imagenet_v2_topimages", "top/007/ab.jpeg", "007 is no class number"),
        ("imagenet_val", "ILSVRC2012_val_00050001.JPEG", "there are 50000 validation pictures"),
        ("imagenet_val", "ILSVRC2012_val_00000000.JPEG", "none has this number"),
    ],
)
def test_what_must_not_be_there(data_set: str, member: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        place(data_set, member)
