"""The options of `oodbench-table` that say what is shown, and which of them go together."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from oodbench.core.errors import ConfigError
from oodbench.reports.comparisons.words import VARIED
from oodbench.reports.comparisons.write import SPREAD_FORMATS
from oodbench.reports.tables.asked import Asked
from oodbench.reports.tables.formats.choose import FORMATS, format_of, names_format

_OTHER_VIEWS = ("failed", "attack_report", "spread")


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a choice of cells and of its form."""
    group = parser.add_argument_group("a choice of cells")
    group.add_argument("--models", default="*", metavar="GLOB", help="only these models")
    group.add_argument("--benchmarks", default="*", metavar="GLOB", help="only these benchmarks")
    group.add_argument("--metric", metavar="NAME", help="show this score where there is one")
    group.add_argument(
        "--by", choices=VARIED, help="a row for each preprocessing, attack or engine of a model"
    )
    group.add_argument(
        "--against",
        metavar="MODEL",
        help="show differences from this model, or from the values of others: published",
    )
    group.add_argument("--sort", metavar="COLUMN", help="sort the rows, the best first")
    group.add_argument(
        "--columns", metavar="A,B", help="only these columns in this order, by title or benchmark"
    )
    group.add_argument(
        "--best",
        action="store_true",
        help="mark the best of each column and all that cannot be told from it at 95 %% (reads "
        "records, once)",
    )
    group.add_argument(
        "--format", choices=FORMATS, help="print it so; model-index: for a model card"
    )
    group.add_argument("--out", type=Path, metavar="FILE", help="write it there instead")


def add_other_views(parser: argparse.ArgumentParser) -> None:
    """Declare what may be shown instead of the table."""
    group = parser.add_argument_group("instead of the table").add_mutually_exclusive_group()
    group.add_argument(
        "--failed", action="store_true", help="the cells whose last attempt failed, and why"
    )
    group.add_argument(
        "--attack-report",
        action="store_true",
        help="what the attacked runs say of their attacks: named checks (pass, warn, not checked) "
        "with the papers that they come from",
    )
    group.add_argument(
        "--spread",
        choices=VARIED,
        help="how far the choice of a preprocessing, attack or engine moves each model's score on "
        "each benchmark, and which pictures change",
    )


def asked_of(chosen: argparse.Namespace) -> Asked:
    """The choice of cells."""
    columns = [name.strip() for name in (chosen.columns or "").split(",")]
    return Asked(
        models=chosen.models,
        benchmarks=chosen.benchmarks,
        metric=chosen.metric,
        by=chosen.by,
        against=chosen.against,
        sort=chosen.sort,
        columns=tuple(filter(None, columns)),
        best=chosen.best,
    )


def format_asked(chosen: argparse.Namespace) -> str | None:
    """The format of what is shown, as is said or as the name of its file says; None: text.

    Raises:
        ConfigError: the file's name says none, and the table has to have one.
    """
    if chosen.format is not None or chosen.out is None:
        return None if chosen.format is None else str(chosen.format)
    is_other = any(getattr(chosen, view) for view in _OTHER_VIEWS)
    return None if is_other and not names_format(chosen.out) else format_of(chosen.out)


def refuse_conflicts(chosen: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        ConfigError: one line that names them.
    """
    for first, second in _conflicts(chosen):
        raise ConfigError(f"{first} and {second} do not go together: leave one of them out")


def _conflicts(chosen: argparse.Namespace) -> Iterator[tuple[str, str]]:
    format_name = format_asked(chosen)
    given = [_option(name) for name in asked_of(chosen).changed()]
    for view in filter(lambda name: getattr(chosen, name), _OTHER_VIEWS):
        allowed = ("--models", "--benchmarks") if view == "spread" else ()
        yield from ((_option(view), option) for option in given if option not in allowed)
        if format_name and not (view == "spread" and format_name in SPREAD_FORMATS):
            yield _option(view), f"--format {format_name}"
    if chosen.best and chosen.against:
        yield "--best", "--against"
    if format_name == "model-index":
        yield from (
            ("--format model-index", option)
            for option in ("--against", "--best")
            if option in given
        )
    if chosen.quiet and chosen.format and not chosen.out:
        yield "--quiet", "--format without --out"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
