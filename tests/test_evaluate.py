"""What evaluation does once and not once a chunk."""

from pathlib import Path

from oodbench.benchmarks.base import Item, Split
from oodbench.evaluate import Chunk, _tasks


def test_the_files_of_a_split_are_listed_once_and_taken_in_order() -> None:
    listed: list[str] = []

    def split(name: str) -> Split:
        def items() -> list[Item]:
            listed.append(name)
            return [Item(f"{name}{position}", 0) for position in range(5)]

        return Split(name, Path(), 5, 5, "", items)

    first, second = split("a"), split("b")
    # The chunk 2..4 of the first split is on disk already.
    chunks = [Chunk(first, 0, 0, 2), Chunk(first, 2, 4, 5), Chunk(second, 0, 0, 2)]
    taken = [(part.name, position, item.image) for part, position, item in _tasks(chunks)]
    assert taken == [
        ("a", 0, "a0"),
        ("a", 1, "a1"),
        ("a", 4, "a4"),
        ("b", 0, "b0"),
        ("b", 1, "b1"),
    ]
    assert listed == ["a", "b"]
