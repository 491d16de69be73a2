"""Listed pictures as lines for the terminal, as CSV and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from oodbench.core.columns import aligned
from oodbench.core.errors import visible
from oodbench.reports.mistakes.rows import Answer, Listing, summary, title
from oodbench.reports.tables.escaping import for_csv

_RUN = ("benchmark", "model", "key", "split", "image", "frame", "path", "is_there", "true")
_ANSWER = ("predicted", "confidence", "right")
_OTHER = ("model_b", "key_b", *(f"{name}_b" for name in _ANSWER))

_NONE = "no picture: everything that was asked for is right"


def text_of(listed: Sequence[Listing]) -> str:
    """A line a picture, list by list."""
    return "\n\n".join("\n".join(_lines(one)) for one in listed) or _NONE


def table_of(listed: Sequence[Listing]) -> str:
    """CSV: a row a picture, the columns those of `content_of`."""
    rows = [row for one in listed for row in _rows(one)]
    paired = any(len(one.mistakes.runs) == 2 for one in listed)
    names = [*_RUN, *_ANSWER, *(_OTHER if paired else ())]
    return for_csv(pd.DataFrame(rows, columns=names)).to_csv(index=False)


def content_of(listed: Sequence[Listing]) -> list[dict[str, Any]]:
    """All lists as JSON: which runs, how many pictures, and the pictures."""
    return [
        {
            "title": title(one.mistakes),
            "keys": [run.key for run in one.mistakes.runs],
            "found": one.mistakes.n_found,
            "scored": one.mistakes.n_scored,
            "pictures": list(_rows(one)),
        }
        for one in listed
    ]


def _lines(one: Listing) -> Iterator[str]:
    yield f"{title(one.mistakes)}: {summary(one.mistakes)}"
    if one.rows:
        paired = len(one.mistakes.runs) == 2
        head = ("true", *(("A", "B") if paired else ("predicted",)), "picture")
        rows = [(row.true, *map(str, row.answers), visible(row.place)) for row in one.rows]
        yield from (f"  {line}" for line in aligned([head, *rows]))


def _rows(one: Listing) -> Iterator[dict[str, Any]]:
    first, *others = one.mistakes.runs
    for row in one.rows:
        yield {
            "benchmark": first.benchmark,
            "model": first.model,
            "key": first.key,
            "split": row.split,
            "image": visible(row.image),
            "frame": row.frame,
            "path": visible(str(row.path)),
            "is_there": row.is_there,
            "true": row.true,
            **_columns("", row.answers[0]),
            **({"model_b": others[0].model, "key_b": others[0].key} if others else {}),
            **(_columns("_b", row.answers[1]) if others else {}),
        }


def _columns(end: str, answer: Answer) -> dict[str, Any]:
    return {
        f"predicted{end}": answer.predicted,
        f"confidence{end}": answer.confidence,
        f"right{end}": answer.right,
    }
