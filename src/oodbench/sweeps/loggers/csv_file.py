"""`logger=csv`: one row a run."""

import csv
import io
import json
from pathlib import Path

from oodbench.core.files import locked, write_text
from oodbench.sweeps.loggers.base import Logged

_PLACE = ("benchmark", "model", "key")
"""What makes a row that of a run."""


class CSVLogger:
    """A table of runs, in which a run that is logged again takes the place of its row."""

    def __init__(self, *, file: str) -> None:
        """`file`: the table; its folder is made. Several processes may write into one."""
        self.file = Path(file)

    def log(self, run: Logged) -> None:
        """Write the run's row.

        The columns are the facts, the path of result.json, the config as JSON, then every score
        that a run of the table has.

        Raises:
            OSError: the file cannot be read or written.
        """
        row = {
            **run.facts,
            "result": str(run.files[0].resolve()),
            "config": json.dumps(dict(run.config), ensure_ascii=False),
            **{name: repr(value) for name, value in run.scores.items()},
        }
        with locked(self.file):
            rows = [old for old in self._rows() if not _is_same(old, row)]
            write_text(self.file, _text([*rows, row]))

    def _rows(self) -> list[dict[str, str]]:
        if not self.file.exists():
            return []
        with self.file.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def _is_same(one: dict[str, str], other: dict[str, str]) -> bool:
    return all(one.get(name) == other[name] for name in _PLACE)


def _text(rows: list[dict[str, str]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
