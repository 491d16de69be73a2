"""Write the report of all runs on disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oodbench.core.files import write_text
from oodbench.reports.comparisons.words import VARIED
from oodbench.reports.figures.all import all_figures
from oodbench.reports.figures.write import write_figures
from oodbench.reports.page.contents import page_content
from oodbench.reports.page.drawn import Styles, drawn
from oodbench.reports.page.kept_report import Kept, grounds_of, keep, read_kept
from oodbench.reports.page.kept_spreads import kept_spreads
from oodbench.reports.page.render import rendered, require_jinja
from oodbench.reports.page.sessions import cost_of
from oodbench.reports.tables.write import read_stored


@dataclass(frozen=True)
class Report:
    """A report that stands on the disk.

    Attributes:
        page: the file of HTML.
        figures: files of the figures, where they were asked for.
        problems: one line for everything that could not be used.
        is_new: whether it was made now; False: nothing has changed since it was.
    """

    page: Path
    figures: Sequence[Path]
    problems: Sequence[str]
    is_new: bool


def write_report(
    output_root: Path,
    page: Path,
    figures_directory: Path | None = None,
    normaliser: Path | None = None,
) -> Report:
    """Write all that finished runs say as one page of HTML, and the figures for a paper.

    Results and what is kept beside them are read; records only where something is not kept yet.
    Where nothing has changed since the last report, its files stay as they are.

    Args:
        output_root: holds `runs/`.
        page: file to write.
        figures_directory: gets each figure as SVG, PDF and PNG, and its numbers; None: none.
        normaliser: AlexNet's scores on ImageNet-P, see `oodbench.benchmarks.normaliser`.

    Raises:
        DataError: there is no run, or the normaliser file is damaged.
        OutputError: Jinja2 or Matplotlib is not installed.
    """
    require_jinja()
    options = [str(page.absolute()), str(figures_directory and figures_directory.absolute())]
    grounds = grounds_of(output_root, options, normaliser)
    if (kept := read_kept(output_root, grounds)) is not None:
        first, *others = kept.files
        return Report(first, others, kept.problems, is_new=False)
    stored = read_stored(output_root, normaliser)
    problems = list(stored.problems)
    spreads = [kept_spreads(output_root, field, stored.results, problems) for field in VARIED]
    figures = all_figures(stored.results, problems)
    styles = Styles()
    content = page_content(
        output_root,
        stored,
        costs={run.directory: cost_of(run) for run in stored.results},
        spreads=[spread for spread in spreads if spread is not None],
        figures=drawn(figures, styles, problems),
        problems=problems,
    )
    write_text(page, rendered(content, styles.css))
    files = [] if figures_directory is None else write_figures(figures, figures_directory)
    keep(
        output_root, grounds, Kept([page.absolute(), *(one.absolute() for one in files)], problems)
    )
    return Report(page, files, problems, is_new=True)
