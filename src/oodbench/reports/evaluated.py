"""A finished run as Python programs and notebooks see it."""

from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

import pandas as pd

from oodbench.core.errors import DataError
from oodbench.metrics.score import Score, format_score
from oodbench.reports.tables.long import status
from oodbench.reports.text import describe, headline
from oodbench.runs.attacked import item_counts
from oodbench.runs.paths import RunPaths
from oodbench.runs.records import read_split
from oodbench.runs.results import RunResult, read_result

_COLUMNS = ("value", "low", "high", "n", "unit", "higher_is_better", "note", "status")


@dataclass(frozen=True, repr=False)
class Evaluated:
    """A finished run: its scores, its records, and where they are.

    Attributes:
        result: all that result.json says.
    """

    result: RunResult

    @property
    def key(self) -> str:
        """12 hex digits: a hash of everything that the records depend on."""
        return self.result.key

    @property
    def directory(self) -> Path:
        """Folder of the run."""
        return self.result.directory

    @property
    def scores(self) -> pd.DataFrame:
        """Scores of the whole benchmark, one row a metric.

        Columns: value, low, high (limits of the 95 % interval, NaN where there is none), n (how
        many pictures), unit (fraction: 0 to 1), higher_is_better, note, status (complete, partial,
        demo or extension). A benchmark's headline is the row `result.headline`.
        """
        return self._frame(self.result.scores.get("", {}))

    @property
    def split_scores(self) -> pd.DataFrame:
        """Scores of the parts of the benchmark, by split, such as `fog/3`, and metric."""
        parts = {name: self._frame(scores) for name, scores in self.result.scores.items() if name}
        if not parts:
            return self._frame({}).set_index(
                pd.MultiIndex.from_tuples([], names=["split", "metric"])
            )
        return pd.concat(parts, names=["split"])

    def records(self) -> pd.DataFrame:
        """One row per scored picture (per frame of a clip); docs/results.md says what is in it.

        Raises:
            DataError: records are missing or damaged.
        """
        counts = item_counts(self.result)
        parts = [
            read_split(self.result.paths.records, split, n_items, key=self.key)
            for split, n_items in counts.items()
        ]
        return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)

    def _frame(self, scores: dict[str, Score]) -> pd.DataFrame:
        rows = [{**asdict(score), "status": status(self.result)} for score in scores.values()]
        index = pd.Index(list(scores), name="metric", dtype=object)
        return pd.DataFrame(rows, index=index, columns=list(_COLUMNS))

    def __repr__(self) -> str:
        return describe(self.result)

    def _repr_html_(self) -> str:
        """For notebooks: the scores as a table, below what has to be known of the run."""
        title, *lines = (escape(line) for line in [headline(self.result), *self.result.notes])
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(format_score(score))}</td></tr>"
            for name, score in self.result.scores.get("", {}).items()
        )
        notes = "".join(f"<li>{line}</li>" for line in lines)
        place = f"<code>{escape(str(self.directory))}</code>"
        return (
            f"<p><b>{title}</b></p>"
            f"<table><thead><tr><th>metric</th><th>score</th></tr></thead><tbody>{rows}</tbody>"
            f"</table>{f'<ul>{notes}</ul>' if notes else ''}<p>{place}</p>"
        )


def evaluated(directory: Path) -> Evaluated:
    """The finished run in a folder.

    Raises:
        DataError: there is none, or its result is damaged.
    """
    file = RunPaths(directory).result
    result = read_result(file)
    if result is None:
        raise DataError(f"{file}: no finished run: give the folder of one, or evaluate it")
    return Evaluated(result)
