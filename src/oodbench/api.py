"""oodbench from Python: the same runs, keys and records as those of the command `oodbench`.

import oodbench

result = oodbench.evaluate("resnet50", "imagenet_a", data_root="/data")
result.scores
"""

import logging
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import pandas as pd

from oodbench.core.errors import DataError, failure_line
from oodbench.evaluation.cell import evaluate_cell, say_which_weights
from oodbench.reports.comparisons.compare import compare_runs
from oodbench.reports.comparisons.frame import frame_of
from oodbench.reports.evaluated import Evaluated, evaluated
from oodbench.reports.tables.stored_scores import stored_scores
from oodbench.runs.plan import Plan, make_plan, unidentified_paths
from oodbench.sweeps.failures import keep_failure
from oodbench.sweeps.from_python import composed, given_model, override
from oodbench.sweeps.loggers.log import log_result

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger("oodbench")

Model = Union[str, "nn.Module", Callable[..., Any]]
Folder = str | PathLike[str]
Run = str | PathLike[str] | Evaluated


def evaluate(
    model: Model,
    benchmark: str | None = None,
    *,
    data_root: Folder | None = None,
    preprocessing: str | None = None,
    attack: str | None = None,
    output_root: Folder | None = None,
    limit: int | None = None,
    allow_partial: bool = False,
    overrides: Sequence[str] = (),
    config_dir: Folder | None = None,
    name: str | None = None,
    identity: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    input_size: int | None = None,
    classes: str | None = None,
) -> Evaluated:
    """Evaluate one model on one benchmark, or find that it has been done.

    This is the command `oodbench model=… benchmark=… …`: same config, key, folder and bytes. What
    is None is left as the configs say. After Ctrl-C, call it again: it goes on from there.

    Args:
        model: name of a config, else of a model of timm; a `torch.nn.Module`, which is copied and
            stays as it is; or a function. Either takes normalised float32 `(N, 3, H, W)` and gives
            `(N, M)`.
        benchmark: name of a config; by default that of the command.
        data_root: folder of all data sets.
        preprocessing, attack: names of configs.
        output_root: folder that runs are stored in, default `outputs`.
        limit: first so many pictures of every split.
        allow_partial: accept fewer pictures than the official count.
        overrides: of the command line, such as `["engine.batch_size=64"]`; they come last.
        config_dir: folder of configs of your own, as `--config-dir`.
        name: that tables show for the model; of a network or function by default that of its class
            or its own.
        identity: name that you vouch for, for a network whose sources cannot be seen, such as one
            of a notebook, and for a function. Without it their runs are never reused.
        mean, std: of the three channels, for pixels in [0, 1]; of a network by default what it
            carries as those of timm do, else those of ImageNet.
        input_size: side of the pictures that the model takes, in pixels; likewise, else 224.
        classes: what the outputs stand for, default `imagenet_1k`; a list that ships, or a file.

    Raises:
        OodbenchError: what the command would say in one line, also where it is done with its shard
            and others are missing. As there, the tables count it among
            the cells that failed.
    """
    folder = None if config_dir is None else Path(config_dir)
    given = given_model(model, identity=identity, config_dir=folder)
    values = {
        "data.root": data_root,
        "output_root": output_root,
        "limit": limit,
        "data.allow_partial": allow_partial or None,
        "benchmark": benchmark,
        "preprocessing": preprocessing,
        "attack": attack,
        "model.name": name,
        "model.mean": mean,
        "model.std": std,
        "model.input_size": input_size,
        "model.classes": classes,
    }
    asked = [override(key, value) for key, value in values.items() if value is not None]
    run = composed([*given.overrides, *asked, *overrides], folder)
    say_which_weights(run)
    plan: Plan | None = None
    try:
        plan = make_plan(run)
        with given.lent():
            cell = evaluate_cell(plan)
    except Exception as error:
        paths = plan.paths if plan else unidentified_paths(run)
        keep_failure(run, paths, error, failure_line(error))
        raise
    for note in cell.notes:
        log.info("%s: %s", plan.cell, note)
    if cell.result is None:
        raise DataError(f"{plan.cell}: this shard is done, and others have still to run")
    log_result(run.logger, cell.result)
    return Evaluated(cell.result)


def read_result(directory: Folder) -> Evaluated:
    """The finished run in a folder, `<output root>/runs/<benchmark>/<model>/<key>`.

    Raises:
        DataError: there is none, or its result is damaged.
    """
    return evaluated(Path(directory))


def read_results(output_root: Folder = "outputs") -> pd.DataFrame:
    """All scores of all runs, one row a score: the rows and columns of `results.csv`.

    Docs/results.md says what the columns are; `directory` is added, the run's folder, for
    `read_result`. Files that cannot be used are named in a warning of the logger `oodbench`.

    Raises:
        DataError: there is no run.
    """
    found = stored_scores(Path(output_root))
    _say(found.problems)
    return found.table


def compare(
    a: Run, b: Run, *, output_root: Folder = "outputs", benchmarks: str = "*"
) -> pd.DataFrame:
    """How two sets of runs differ on the same pictures, one row a comparison: `oodbench-compare`.

    Args:
        a, b: results of `evaluate`, or what the command takes: patterns of model names,
            `field=pattern` pairs, keys, folders of runs or of outputs.
        output_root: where the runs are.
        benchmarks: pattern of the benchmarks that are compared.

    Returns:
        benchmark, a, b (what tells them apart), accuracy_a, accuracy_b, difference (B - A), low,
        high (its 95 % interval): fractions; p_value, p_value_holm (adjusted for all rows); only_a,
        only_b (pictures that only the one got right, or more often), n (pictures), unpaired, demo
        or partial in `note`, key_a, key_b.

    Raises:
        OodbenchError: there are no such runs, or no two to compare.
    """
    compared = compare_runs(_word(a), _word(b), Path(output_root), benchmarks)
    _say(compared.problems)
    return frame_of(compared)


def _word(run: Run) -> str:
    return str(run.directory if isinstance(run, Evaluated) else run)


def _say(problems: Sequence[str]) -> None:
    for problem in problems:
        log.warning("%s", problem)
