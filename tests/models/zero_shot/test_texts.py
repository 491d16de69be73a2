"""Texts that ship: keys hold their names alone, so that what a name stands for never changes."""

from hashlib import sha256

import pytest

from oodbench.reference import text_lists

KNOWN = {
    ("class_names", "clip"): "8800e39242cb",
    ("prompts", "imagenet_80"): "639a1cf9e5e9",
    ("prompts", "plain"): "37b3ccad0218",
}


@pytest.mark.parametrize("kind", ["class_names", "prompts"])
def test_shipped_texts_are_those_of_their_names(kind: str) -> None:
    found = {
        (kind, name): sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()[:12]
        for name, lines in text_lists(kind).items()
    }
    assert found == {key: value for key, value in KNOWN.items() if key[0] == kind}
