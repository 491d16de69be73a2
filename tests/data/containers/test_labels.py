"""Labels and paths of containers become the folders and files that they were."""

from pathlib import Path

import pytest

from oodbench.core.errors import ConfigError, DataError
from oodbench.data.containers.base import Choices
from oodbench.data.containers.labels import Row, named_rows
from oodbench.reference import class_lists, imagenet_wnids, read_table

WHERE = Path("/data/set.csv")
FIRST, SECOND, LAST = "n01440764", "n01443537", "n15075141"
"""Classes 0, 1 and 999."""


def places(
    *rows: tuple[str | None, object],
    classes: str | None = None,
    names: list[str] | None = None,
) -> list[tuple[str, str | None]]:
    listed = [Row(path, label, f"row {number}") for number, (path, label) in enumerate(rows)]
    return [tuple(p) for p in named_rows(WHERE, listed, Choices(classes=classes), names)]


def test_a_class_index_is_the_folder_of_its_synset() -> None:
    assert places(("a.jpg", 0), ("b.jpg", 999)) == [(FIRST, "a.jpg"), (LAST, "b.jpg")]
    assert places(("a.jpg", "1"), ("b.jpg", "999")) == [(SECOND, "a.jpg"), (LAST, "b.jpg")]


def test_a_path_that_has_its_class_is_kept_without_a_label() -> None:
    assert places((f"{FIRST}/a.jpg", None)) == [(FIRST, "a.jpg")]
    assert places((f"fog/3/{FIRST}/a.jpg", 0)) == [(f"fog/3/{FIRST}", "a.jpg")]


def test_absolute_paths_lose_what_is_above_all_of_them() -> None:
    rows = [(f"/x/val/{FIRST}/a.jpg", 0), (f"/x/val/{SECOND}/b.jpg", 1)]
    assert places(*rows) == [(FIRST, "a.jpg"), (SECOND, "b.jpg")]
    assert places(rows[0]) == [(FIRST, "a.jpg")]
    assert places((f"/x/fog/1/{FIRST}/a.jpg", 0), (f"/x/fog/2/{FIRST}/a.jpg", 0)) == [
        (f"1/{FIRST}", "a.jpg"),
        (f"2/{FIRST}", "a.jpg"),
    ]
    assert places((f"../val/{FIRST}/a.jpg", 0)) == [(FIRST, "a.jpg")]


def test_other_folders_are_those_of_the_label() -> None:
    assert places(("img/a.jpg", 0), ("img/b.jpg", 999)) == [(FIRST, "a.jpg"), (LAST, "b.jpg")]
    assert places(("x/a.png", "cat")) == [("cat", "a.png")]
    assert places(("cat/cat1-dog2.png", None)) == [("cat", "cat1-dog2.png")]


def test_without_a_path_there_is_no_name() -> None:
    assert places((None, 5), (None, 999))[1] == (LAST, None)


def test_numbers_of_a_shorter_list_are_not_guessed() -> None:
    with pytest.raises(DataError) as refused:
        places(("a.jpg", 0), ("b.jpg", 199))
    said = str(refused.value)
    assert said.startswith(
        f"{WHERE}: labels 0 to 199 may be positions in a list of fewer classes: say which with "
        "data.container.classes: imagenet (the 1000), imagenet_a, "
    )
    assert said.endswith(", or a file of synset ids in the order of the labels")
    assert places(("a.jpg", 199), classes="imagenet")[0][0] == imagenet_wnids()[199]
    assert places(("a.jpg", 199), classes="imagenet_a")[0][0] == class_lists()["imagenet_a"][199]
    with pytest.raises(DataError, match="row 0: label 200: expected 0 to 199"):
        places(("a.jpg", 200), classes="imagenet_r")


def test_a_file_of_synset_ids_counts_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text(f"{LAST}\n{FIRST}\n")
    assert places(("a.jpg", 0), classes=str(tmp_path / "ids.txt")) == [(LAST, "a.jpg")]


def test_paths_tell_that_labels_count_another_list() -> None:
    with pytest.raises(
        DataError, match=f"row 1: {SECOND}/b.jpg is of {SECOND}, and label 2 of n01484850"
    ):
        places((f"{FIRST}/a.jpg", 0), (f"{SECOND}/b.jpg", 2))
    with pytest.raises(DataError, match="labels count another list"):
        places((f"ILSVRC2012_val_00000001_{SECOND}.JPEG", 0))


@pytest.mark.parametrize("labels", [(1, 1000), (1, 5000)])
def test_labels_that_count_from_one_are_refused(labels: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="do they count from 1"):
        places(*((f"{label}.jpg", label) for label in labels))


def test_labels_of_a_hidden_test_set_are_refused() -> None:
    with pytest.raises(DataError, match="row 1: label -1: expected 0 to 999"):
        places(("a.jpg", 999), ("b.jpg", -1))


def test_neither_label_nor_folder() -> None:
    with pytest.raises(DataError, match=r"row 0: a\.jpg has no label and is in no folder"):
        places(("a.jpg", None))
    with pytest.raises(DataError, match="row 0: neither a label nor a path"):
        places((None, None))


def test_a_list_that_is_none() -> None:
    with pytest.raises(
        ConfigError, match=r"data\.container\.classes=imagenet_b: neither a file nor"
    ):
        places(("a.jpg", 0), classes="imagenet_b")


def test_class_names_that_are_synset_ids_say_what_the_numbers_are() -> None:
    assert places(("a.jpg", 1), names=[LAST, FIRST]) == [(FIRST, "a.jpg")]


LEMMAS = [row["lemmas"] for row in read_table("imagenet_1k_names.csv")]


def test_class_names_in_the_order_of_the_classes() -> None:
    assert places(("a.jpg", 1), names=LEMMAS) == [(SECOND, "a.jpg")]
    first_words = [names.split(",")[0].upper() for names in LEMMAS]
    assert places(("a.jpg", 1), names=first_words) == [(SECOND, "a.jpg")]


def test_class_names_in_another_order_are_refused() -> None:
    with pytest.raises(DataError, match=f"class 0 is called goldfish, .*, which is {SECOND}"):
        places(("a.jpg", 1), names=[LEMMAS[1], LEMMAS[0], *LEMMAS[2:]])
    with pytest.raises(
        DataError, match="class 0 is called Afghan hound, Afghan, which is n02088094"
    ):
        places(("a.jpg", 1), names=sorted(LEMMAS))


def test_class_names_of_another_data_set_are_refused() -> None:
    with pytest.raises(DataError, match="only 0 of the 1000 class names are those of ImageNet"):
        places(("a.jpg", 1), names=[f"thing {number}" for number in range(1000)])
    with pytest.raises(DataError, match="labels of 10 classes, such as airplanes: say what"):
        places(("a.jpg", 1), names=["airplanes", *"bcdefghij"])


def test_names_of_a_subset_are_held_against_the_list_that_is_chosen() -> None:
    named = {row["wnid"]: row["lemmas"] for row in read_table("imagenet_1k_names.csv")}
    subset = class_lists()["imagenet_a"]
    names = [named[wnid] for wnid in subset]
    assert places(("a.jpg", 7), names=names, classes="imagenet_a") == [(subset[7], "a.jpg")]
    with pytest.raises(DataError, match="the list has .* there"):
        places(("a.jpg", 7), names=names, classes="imagenet_r")


@pytest.mark.parametrize("name", ["a\nb.jpg", "/", "..", "C:/x.jpg"])
def test_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(DataError):
        places((name, FIRST), (f"{SECOND}/x.jpg", SECOND))
