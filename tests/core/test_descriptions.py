"""What the strings below the fields of a dataclass say."""

from dataclasses import dataclass

from oodbench.core.descriptions import descriptions


@dataclass
class Example:
    """Not a field's."""

    plain: int = 0
    """Pixels of the side, e.g. 224. And more
    of it."""
    bare: str = ""
    long: str = ""
    """One that goes on
    in the next line."""

    @property
    def made(self) -> int:
        """No field."""
        return 1


def test_first_sentences_by_field() -> None:
    assert descriptions(Example) == {
        "plain": "Pixels of the side, e.g. 224",
        "bare": "",
        "long": "One that goes on in the next line",
    }
