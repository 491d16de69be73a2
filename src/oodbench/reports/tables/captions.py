"""What is said above and below a table."""

from collections.abc import Iterable, Sequence

from oodbench.reports.tables.cells import ABSENT, DOUBTFUL, FAILED

DEMO_WARNING = "DEMO DATA: these numbers are not comparable with published ones."

_MARKS = {
    "(pub. ": "pub.: the published value and our difference from it.",
    "(testbed ": "testbed: the value of imagenet-testbed, where none was published.",
    "other protocol": "other protocol: made with re-cropped files, hence no difference.",
    " partial ": "partial: pictures scored / official count.",
    " demo ": "demo: demo data, and how many pictures (clips) were scored.",
    " count unknown": "count unknown: no source says how many pictures there are.",
    " skipped ": "skipped: pictures that could not be read and were left out.",
    " ext.": "ext.: an extension, the published run did not support this model here.",
    f" {DOUBTFUL}": f"{DOUBTFUL}: checks of the attack warn (oodbench-table --attack-report).",
    FAILED: "failed: the last attempt ended with an error, see its error.json.",
    ABSENT: f"{ABSENT}: no value.",
}

PERCENT = "Percent, with 95 % intervals."


def caption(cells: Iterable[str], sentences: Sequence[str], *, left_out: int, n_failed: int) -> str:
    """The sentences, what the marks in the cells mean, and what the table does not show.

    Args:
        cells: their texts.
        sentences: on numbers, columns and models.
        left_out: runs that are older or less complete than those shown.
        n_failed: runs that failed and have no cell.
    """
    distinct = set(cells)
    marks = [meaning for mark, meaning in _MARKS.items() if any(mark in cell for cell in distinct)]
    older = f"Older or less complete runs, in results.csv only: {left_out}." if left_out else ""
    failed = (
        f"Failed, without a row here: {n_failed} (oodbench-table --failed)." if n_failed else ""
    )
    return " ".join(filter(None, [*sentences, *marks, older, failed]))
