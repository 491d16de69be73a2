"""Whether the rows of a chunk are those of its items: each once, all of them, in order."""

import numpy as np
from numpy.typing import NDArray


def wrong_positions(
    position: NDArray[np.integer],
    frame: NDArray[np.integer],
    first: int,
    n_items: int,
    n_skipped: int,
) -> str:
    """What is wrong with the rows of the items `first` up to `first + n_items`, "" where nothing.

    Args:
        position: of each row's item, `(N,)`; that of a clip stands in the rows of all its frames.
        frame: of each row, `(N,)`, from 0 upwards in each item.
        first: position of the first item.
        n_items: items, skipped ones included.
        n_skipped: of these, items without a row.
    """
    begins = np.diff(position, prepend=first - 1) > 0
    n_found = int(begins.sum())
    stop = first + n_items
    if len(position) and (position.min() < first or position.max() >= stop):
        return f"rows of other items than {first} to {stop - 1}"
    follows = frame[1:] == frame[:-1] + 1
    if len(position) and not (frame[begins] == 0).all():
        return "frames of an item are missing"
    if not (begins[1:] | (np.diff(position) == 0) & follows).all():
        return "rows that stand twice or out of order"
    if n_found + n_skipped != n_items:
        return f"{n_found} items and {n_skipped} skipped ones of {n_items}"
    return ""
