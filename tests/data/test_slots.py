"""Slots on disk: what was written comes back, what is damaged does not."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from oodbench.data.slots import SLOT, SlotArray, Slots, slots_of


def filled(*positions: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], SlotArray]:
    digests = [hashlib.sha256(bytes([position])).digest() for position in positions]
    return np.array(positions, np.int64), slots_of([10**18 + p for p in positions], digests)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    slots = Slots(tmp_path / "below" / "slots")
    assert not slots.read(0, 9)["known"].any()
    slots.write(*filled(2, 3, 7))
    slots.write(*filled(0))
    found = slots.read(0, 9)
    assert found["known"].tolist() == [1, 0, 1, 1, 0, 0, 0, 1, 0]
    assert found["modified"][[0, 2, 3, 7]].tolist() == [10**18 + p for p in (0, 2, 3, 7)]
    for position in (0, 2, 3, 7):
        digest = hashlib.sha256(bytes([position])).digest()
        assert found["sha256"][position].tobytes() == digest
    assert Slots(slots.path).read(2, 8).tobytes() == found[2:8].tobytes()


@pytest.mark.parametrize("byte", range(0, SLOT.itemsize, 5))
def test_a_damaged_slot_is_empty(tmp_path: Path, byte: int) -> None:
    slots = Slots(tmp_path / "slots")
    slots.write(*filled(0, 1, 2))
    content = bytearray(slots.path.read_bytes())
    content[SLOT.itemsize + byte] ^= 4
    slots.path.write_bytes(content)
    assert slots.read(0, 3)["known"].tolist() == [1, 0, 1]
    slots.path.write_bytes(slots.path.read_bytes()[: -1 - byte])
    assert slots.read(0, 3)["known"].tolist() == [1, 0, 0]


def test_what_lies_in_its_place_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "slots").mkdir()
    assert not Slots(tmp_path / "slots").read(0, 3)["known"].any()
    with pytest.raises(OSError, match="slots"):
        Slots(tmp_path / "slots").write(*filled(0))
