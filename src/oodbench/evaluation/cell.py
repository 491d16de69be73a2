"""One cell of the table: found done already, or evaluated. Imports torch only to evaluate."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from oodbench.core.schema import RunConfig, shipped
from oodbench.evaluation.failures import forget_failures
from oodbench.evaluation.other_pictures import other_pictures
from oodbench.models.facts import bare_name_notice
from oodbench.runs.done import is_done, more_than_asked
from oodbench.runs.naming.other_names import add_name
from oodbench.runs.naming.own_evaluation import say_once
from oodbench.runs.plan import Plan
from oodbench.runs.results import RunResult

log = logging.getLogger("oodbench")


@dataclass(frozen=True)
class Cell:
    """What came of a plan.

    Attributes:
        result: None while other shards have still to run.
        was_done: whether it was there already.
        notes: what there is to say of a result that was.
    """

    result: RunResult | None
    was_done: bool = False
    notes: Sequence[str] = ()


def evaluate_cell(plan: Plan, begin: Callable[[Plan], None] | None = None) -> Cell:
    """Evaluate one model on one benchmark, or find that it is done already.

    Args:
        begin: called before something is computed.

    Raises:
        OodbenchError: what `oodbench.evaluation.execute` refuses.
    """
    if (result := is_done(plan)) is not None:
        with suppress(OSError):  # the run may be another user's
            forget_failures(plan)
        notes = [*_shared_pixels(plan, result), *more_than_asked(plan, result)]
        return Cell(result, was_done=True, notes=notes)
    if (line := say_once(plan.run)) is not None:
        log.warning("%s", line)
    if (line := other_pictures(plan)) is not None:
        log.info("%s: %s", plan.cell, line)
    if begin is not None:
        begin(plan)
    from oodbench.evaluation.execute import execute

    return Cell(execute(plan))


def say_which_weights(run: RunConfig) -> None:
    """A name of timm without a tag is ambiguous: its weights change with timm's version."""
    name = run.model.timm_name
    if name is not None and (notice := bare_name_notice(name, shipped("model"))):
        log.warning("%s", notice)


def _shared_pixels(plan: Plan, result: RunResult) -> list[str]:
    """That the run was made under the name of another preprocessing, which gives the same; the
    tables show it under both."""
    name = str(plan.run.preprocessing["name"])
    if name == result.preprocessing:
        return []
    with suppress(OSError):  # the run may be another user's
        add_name(plan.paths, name)
    return [f"preprocessing={name} gives the same pixels as {result.preprocessing}: one run"]
