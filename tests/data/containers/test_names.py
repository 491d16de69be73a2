"""Names that would leave the folder if they were unpacked are refused; nothing is ever unpacked."""

from pathlib import Path

import pytest
from container_files import tar_of

from oodbench.core.errors import DataError
from oodbench.data.containers.names import checked
from oodbench.data.listing import folder_names


@pytest.mark.parametrize(
    "name", ["n01440764/a.JPEG", "a.jpg", "x/..a/b..jpg", "0.5_a b _ c.jpg", "ä/ö.png"]
)
def test_names_of_pictures(name: str) -> None:
    assert checked(name, Path("x.zip")) == name
    assert checked(f"./{name}", Path("x.zip")) == name


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("/etc/passwd", "is absolute"),
        ("c:\\x.jpg", "is absolute"),
        ("../x.jpg", r"has an empty part, \. or \.\."),
        ("a/../../x.jpg", r"has an empty part, \. or \.\."),
        ("a//x.jpg", r"has an empty part, \. or \.\."),
        ("", r"has an empty part, \. or \.\."),
        ("a\\x.jpg", "has a backslash"),
        ("a\nx.jpg", "has a control character"),
        ("a\0x.jpg", "has a control character"),
    ],
)
def test_names_that_are_none(name: str, what: str) -> None:
    with pytest.raises(DataError, match=rf"^x\.zip: .*: the name {what}: pack the pictures again$"):
        checked(name, Path("x.zip"))


def test_a_container_with_such_a_name_is_refused(tmp_path: Path) -> None:
    tar_of(tmp_path / "in" / "x.tar", [("n01440764/a.jpg", b"a"), ("../evil.jpg", b"b")])
    with pytest.raises(DataError, match=r"x\.tar: \.\./evil\.jpg: the name has an empty part"):
        folder_names(tmp_path / "in" / "x.tar")
    assert not (tmp_path / "evil.jpg").exists()
