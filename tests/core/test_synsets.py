"""Files of synset ids: what is read, and what is refused with its line."""

from pathlib import Path

import pytest

from oodbench.core.errors import ConfigError
from oodbench.core.synsets import check_synset_ids, read_synset_ids


def test_ids_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("n00000002\r\nn00000001 \nother\nother\n\n\n")
    assert read_synset_ids(file, "key", also="other") == [
        "n00000002",
        "n00000001",
        "other",
        "other",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n00000001\ntench\n", r"ids\.txt:2: 'tench' is no synset id \(n and eight digits\)$"),
        ("n00000001\n\nn00000002\n", r"ids\.txt:2: '' is no synset id"),
        ("n00000001\nn00000002\nn00000001\n", r"ids\.txt:3: n00000001 stands there twice$"),
        ("n00000001\nn00000009\n", r"ids\.txt:2: n00000009 is none of the classes of ImageNet-1k$"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "ids.txt"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_synset_ids(file, "key", among={"n00000001", "n00000002"})


def test_a_list_is_named_by_its_key() -> None:
    with pytest.raises(ConfigError, match=r"^key:2: n00000001 stands there twice$"):
        check_synset_ids(["n00000001", "n00000001"], "key")


def test_a_binary_file(tmp_path: Path) -> None:
    (tmp_path / "ids").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"^key=.*ids: not a text file$"):
        read_synset_ids(tmp_path / "ids", "key")
