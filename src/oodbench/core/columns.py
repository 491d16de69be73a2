"""Text in aligned columns."""

from collections.abc import Collection, Sequence


def aligned(
    rows: Sequence[Sequence[str]], *, right: Collection[int] = (), between: str = "  "
) -> list[str]:
    """One line a row, every column as wide as its longest cell, no blanks at the end of a line.

    Args:
        rows: cells, as many in each row.
        right: positions of the columns that are aligned at the right.
        between: stands between two columns.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        between.join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
