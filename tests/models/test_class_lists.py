import subprocess
import sys
from pathlib import Path

import pytest
import timm

from oodbench.core.errors import ConfigError
from oodbench.models import class_lists
from oodbench.models.class_lists import (
    NAMES,
    TIMM_FILES,
    check_labels,
    class_list,
    class_list_identity,
    columns,
    missing_classes,
    names_of_count,
    wrong_count,
)
from oodbench.reference import read_table

RAW = Path(timm.__file__).parent / "data" / "_info"
OF_1K = (RAW / "imagenet_synsets.txt").read_text().split()
LEMMAS = [row["lemmas"] for row in read_table("imagenet_1k_names.csv")]

TEDDY = {"n04399382"}
DOGS_12K = {"n02085782", "n02089078", "n02089867", "n02091635", "n02112706", "n02113978"}
DOGS_MIIL = DOGS_12K | {"n02089973", "n02108000"}
"""As the module's docstring documents them."""


@pytest.mark.parametrize(
    ("name", "count", "missing"),
    [
        ("imagenet_1k", 1000, set()),
        ("imagenet_1k_background", 1001, set()),
        ("imagenet_12k", 11821, TEDDY | DOGS_12K),
        ("imagenet_21k_google", 21843, TEDDY),
        ("imagenet_21k_miil", 11221, TEDDY | DOGS_MIIL),
        ("imagenet_21k_miil_w21", 10450, TEDDY | DOGS_MIIL),
        ("imagenet_22k", 21841, TEDDY),
        ("imagenet_22k_ms", 21842, set()),
    ],
)
def test_lists_and_what_they_lack(name: str, count: int, missing: set[str]) -> None:
    assert len(class_list(name)) == count
    assert set(missing_classes(name)) == missing
    assert names_of_count(count) == [name]
    if name in TIMM_FILES:
        raw = set((RAW / TIMM_FILES[name]).read_text().split())
        assert set(OF_1K) - raw == missing


@pytest.mark.parametrize("name", NAMES)
def test_columns_lead_to_the_synset_of_the_class(name: str) -> None:
    outputs = class_list(name)
    for wnid, column in zip(OF_1K, columns(name), strict=True):
        assert column is None or outputs[column] == wnid


def test_background_comes_first() -> None:
    assert columns("imagenet_1k_background") == list(range(1, 1001))


def test_timms_own_counts_belong_to_the_same_lists() -> None:
    from timm.data.imagenet_info import _NUM_CLASSES_TO_SUBSET, _SUBSETS

    for count, subset in _NUM_CLASSES_TO_SUBSET.items():
        file_name = _SUBSETS[subset.replace("-", "")]
        (name,) = names_of_count(count)
        assert list(class_list(name)) == (RAW / file_name).read_text().split()


def test_a_file_of_the_user(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text(f"{OF_1K[7]}\nbackground\nn00004475\nbackground\n{OF_1K[0]}\n\n")
    assert len(class_list(str(file))) == 5
    found = columns(str(file))
    assert (found[7], found[0]) == (0, 4)
    assert found.count(None) == 998
    assert missing_classes(str(file))[:2] == OF_1K[1:3]


def test_identity_is_that_of_the_content(tmp_path: Path) -> None:
    file, other = tmp_path / "a.txt", tmp_path / "b.txt"
    file.write_text("\n".join(OF_1K))
    assert class_list_identity(str(file)) == "imagenet_1k"
    assert class_list_identity("imagenet_12k") == "imagenet_12k"
    file.write_text("\n".join(OF_1K[:5]))
    other.write_text("\n".join(OF_1K[:5]) + "\n")
    assert class_list_identity(str(file)) == class_list_identity(str(other))
    assert class_list_identity(str(file)).startswith("sha256:")
    other.write_text("\n".join(OF_1K[4::-1]))
    assert class_list_identity(str(file)) != class_list_identity(str(other))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n01440764\ntench\n", r"c.txt:2: 'tench' is no synset id"),
        ("n01440764\n\nn01443537\n", r"c.txt:2: '' is no synset id"),
        ("n01440764\nn01440764\n", r"c.txt:2: n01440764 stands there twice"),
        ("n00004475\n", "none of the 1000 classes"),
        ("", "none of the 1000 classes"),
    ],
)
def test_wrong_files_are_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "c.txt"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        class_list(str(file))


def test_a_binary_file_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.bin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a text file"):
        class_list(str(tmp_path / "c.bin"))
    with pytest.raises(
        ConfigError, match="neither a file nor a class list; available: imagenet_1k"
    ):
        class_list("imagenet_13k")


def test_wrong_counts_name_the_list_that_fits() -> None:
    assert wrong_count(1001, "imagenet_1k") == (
        "its network has 1001 outputs, model.classes=imagenet_1k has 1000: "
        "set model.classes=imagenet_1k_background"
    )
    assert wrong_count(21841, "imagenet_1k").endswith("set model.classes=imagenet_22k")
    assert "set model.classes=FILE, a text file" in wrong_count(10, "imagenet_1k")


@pytest.mark.parametrize(
    "labels",
    [
        LEMMAS,
        OF_1K,
        [lemmas.split(",")[0].upper().replace(" ", "_") for lemmas in LEMMAS],
        [f"LABEL_{i}" for i in range(1000)],
    ],
)
def test_labels_in_order(labels: list[str]) -> None:
    assert check_labels(labels, "imagenet_1k") is None


def test_labels_in_another_order() -> None:
    swapped = [LEMMAS[1], LEMMAS[0], *LEMMAS[2:]]
    assert check_labels(swapped, "imagenet_1k") == (
        "label 0 is 'goldfish, Carassius auratus', but output 0 of imagenet_1k is "
        "'tench, Tinca tinca'"
    )
    assert check_labels(sorted(LEMMAS), "imagenet_1k") is not None
    assert check_labels(["background", *LEMMAS], "imagenet_1k_background") is None
    assert check_labels([*LEMMAS, "background"], "imagenet_1k_background") is not None


def test_a_timm_without_the_lists_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class_lists._timm_text.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="has no imagenet12k_synsets.txt: pip install"):
        class_list("imagenet_12k")


def test_lists_are_read_without_the_libraries() -> None:
    program = """
import sys
from oodbench.models.class_lists import columns, missing_classes
assert columns("imagenet_21k_google") and missing_classes("imagenet_12k")
print(sorted({"torch", "timm", "transformers", "onnx"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
