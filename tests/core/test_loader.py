"""Order, bounds, failures and early ends of loading ahead."""

import threading
import time
from collections.abc import Iterator

import pytest

from oodbench.core.loader import load_ahead


def decode_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_order_is_that_of_the_items_though_later_ones_finish_first() -> None:
    def load(number: int) -> int:
        time.sleep(0.02 if number % 4 == 0 else 0)
        return number * number

    loaded = load_ahead(load, range(40), workers=4, ahead=8)
    assert list(loaded) == [number * number for number in range(40)]


def test_no_items() -> None:
    assert list(load_ahead(str, [], workers=2, ahead=4)) == []


def test_fewer_items_than_the_bound() -> None:
    assert list(load_ahead(str, [1, 2], workers=2, ahead=100)) == ["1", "2"]


def test_nothing_ahead() -> None:
    assert list(load_ahead(str, range(3), workers=1, ahead=0)) == ["0", "1", "2"]


@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_items_are_taken_only_as_there_is_room(ahead: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(50):
            taken += 1
            yield number

    for consumed, number in enumerate(load_ahead(abs, items(), workers=3, ahead=ahead)):
        assert consumed == number
        waiting = taken - (consumed + 1)
        assert waiting <= ahead
    assert taken == 50


def test_loads_run_in_as_many_threads_as_workers() -> None:
    """Each of three loads waits for the others: fewer threads would never pass the barrier."""
    barrier = threading.Barrier(3, timeout=5)
    loaded = load_ahead(lambda _: barrier.wait(), range(3), workers=3, ahead=3)
    assert sorted(loaded) == [0, 1, 2]


def test_an_exception_comes_at_its_item_and_ends_the_threads() -> None:
    def load(number: int) -> int:
        if number == 3:
            raise ValueError("picture 3")
        return number

    loaded = load_ahead(load, range(100), workers=2, ahead=4)
    assert [next(loaded) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="picture 3"):
        next(loaded)
    assert decode_threads() == []


def test_an_exception_of_the_items_ends_the_threads() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("list ended")

    with pytest.raises(OSError, match="list ended"):
        list(load_ahead(abs, items(), workers=2, ahead=4))
    assert decode_threads() == []


def test_early_close_cancels_what_waits() -> None:
    started = []

    def load(number: int) -> int:
        started.append(number)
        time.sleep(0.01)
        return number

    loaded = load_ahead(load, range(1000), workers=1, ahead=50)
    assert next(iter(loaded)) == 0
    loaded.close()  # type: ignore[attr-defined]  # a generator
    assert len(started) < 50
    assert decode_threads() == []
