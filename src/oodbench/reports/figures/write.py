"""Figures as files for a paper."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from oodbench.core.files import atomic_path, write_text
from oodbench.reports.figures.figure import Figure
from oodbench.reports.figures.style import DPI, styled
from oodbench.reports.figures.svg import svg_file
from oodbench.reports.tables.escaping import for_csv


def write_figures(figures: Sequence[Figure], directory: Path) -> list[Path]:
    """Write each figure as SVG, PDF and PNG, and its numbers as CSV; the same in, the same out.

    Args:
        figures: with names of their own.
        directory: made where it is missing. Files of these names are replaced.

    Returns:
        The files, in the order of the figures.

    Raises:
        OutputError: Matplotlib is not installed.
    """
    files = []
    for figure in figures:
        file = directory / f"{figure.name}.svg"
        write_text(file, svg_file(figure))
        files.append(file)
        for kind, metadata in (("pdf", {"CreationDate": None}), ("png", {"Software": None})):
            file = directory / f"{figure.name}.{kind}"
            with atomic_path(file) as part:
                part.write_bytes(_drawn(figure, kind, metadata))
            files.append(file)
        file = directory / f"{figure.name}.csv"
        write_text(file, for_csv(figure.table).to_csv(index=False))
        files.append(file)
    return files


def _drawn(figure: Figure, kind: str, metadata: dict[str, None]) -> bytes:
    buffer = BytesIO()
    with styled(figure.name):
        figure.draw().savefig(buffer, format=kind, dpi=DPI, metadata=metadata)
    return buffer.getvalue()
