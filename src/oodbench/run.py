"""One cell of the table: compose -> validate -> key -> skip -> build -> evaluate -> score.

oodbench model=resnet50 benchmark=imagenet_a data.root=/data
oodbench -m 'model=resnet50,moco_v2' 'benchmark=glob(imagenet_v2*)'
"""

import logging
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from oodbench.core.command import quiet_pipe
from oodbench.core.errors import cause_of, failure_line, is_mendable
from oodbench.core.interrupts import ended_by_signals
from oodbench.core.schema import RunConfig, validate
from oodbench.engines.store import remove_scratch
from oodbench.evaluation.cell import evaluate_cell, say_which_weights
from oodbench.reports.text import describe, headline
from oodbench.runs.plan import Plan, make_plan, unidentified_paths
from oodbench.sweeps.composing import CONFIG_PATH
from oodbench.sweeps.failures import is_stopped, keep_failure, stop_others
from oodbench.sweeps.launch_errors import report_in_one_line
from oodbench.sweeps.launching import prepare_launch
from oodbench.sweeps.loggers.log import log_result
from oodbench.sweeps.outcomes import (
    AT_THE_END,
    Outcome,
    RememberLaunch,
    outcomes,
    write_outcome,
)
from oodbench.sweeps.standing.record import JobRecord

log = logging.getLogger("oodbench")

SUMMARY = (
    "Measure image classifiers on out-of-distribution benchmarks: one cell, or a sweep with -m."
)

INTERRUPTED = "interrupted: what was computed is kept, the same command goes on from there"


def run_cell(plan: Plan, record: JobRecord, *, swept: bool = False) -> Outcome:
    """Evaluate one model on one benchmark, or find that it is done already.

    Args:
        record: hears when something is computed.
        swept: whether it is one of several jobs: of a run that is done, one line is enough.
    """
    try:
        cell = evaluate_cell(plan, begin=record.begin)
    finally:
        record.rest()
    if cell.result is None:
        log.info("%s: this shard is done; other shards have still to run", plan.cell)
        return Outcome("waiting", plan.cell)
    log_result(plan.run.logger, cell.result)
    if not cell.was_done:
        return Outcome("done", plan.cell, describe(cell.result))
    if swept:
        said = "; ".join(["done already", *cell.notes])
        return Outcome("skipped", plan.cell, f"{headline(cell.result)}  {said}")
    log.info("%s: done already: %s", plan.cell, plan.paths.directory)
    for note in cell.notes:
        log.info("%s: %s", plan.cell, note)
    return Outcome("skipped", plan.cell, describe(cell.result))


def task(config: DictConfig) -> None:
    """Hydra's task: never raises, so that one failing job does not stop a sweep."""
    cell = "config"
    hydra_config = HydraConfig.get()
    swept = hydra_config.mode == RunMode.MULTIRUN
    folder = Path(hydra_config.runtime.output_dir)
    launch = folder.parent
    run: RunConfig | None = None
    plan: Plan | None = None
    overrides = list(hydra_config.overrides.task)
    record = JobRecord(Path(config.output_root), overrides)
    try:
        run = validate(config)
        cell = Plan.cell_of(run)
        if swept and is_stopped(launch, run):
            log.info("%s: left, for another job has failed and on_failure=stop", cell)
            write_outcome(folder, Outcome("left", cell))
            return
        say_which_weights(run)
        plan = make_plan(run)
        outcome = run_cell(plan, record, swept=swept)
    except (KeyboardInterrupt, SystemExit) as interrupt:
        record.stop(interrupt)
        raise
    except Exception as error:
        traceback = not is_mendable(error)
        outcome = Outcome(
            "failed",
            cell,
            failure_line(error),
            overrides=overrides,
            log=str(folder / f"{hydra_config.job.name}.log") if traceback else "",
            cause=cause_of(error),
        )
        if run is not None:
            paths = plan.paths if plan else unidentified_paths(run)
            keep_failure(run, paths, error, outcome.message)
            stop_others(launch, run)
        log.error(*("%s: %s", cell, outcome.message), exc_info=traceback, extra={AT_THE_END: swept})
    write_outcome(folder, outcome)
    record.end(outcome, plan)
    if outcome.message and outcome.state != "failed":
        print(outcome.message, flush=True)


def main() -> None:
    """Exit codes: 0 all well, 1 a job failed, 2 no job, 130 Ctrl-C, 143 SIGTERM."""
    # Before torch is imported: or threads that wait for each other take cores from the decoders.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    prepare_launch("oodbench", SUMMARY, "config", RunConfig)
    launch = hydra.main(version_base="1.3", config_path=CONFIG_PATH, config_name="config")(task)
    started = time.monotonic()
    try:
        with quiet_pipe(), ended_by_signals():
            report_in_one_line(launch)
    except KeyboardInterrupt as interrupt:
        print(f"\n{INTERRUPTED}", file=sys.stderr)
        if RememberLaunch.directory is not None:
            _list_failures(outcomes(RememberLaunch.directory))
        with suppress(OSError):
            sys.stdout.flush()
        remove_scratch()
        os._exit(128 + getattr(interrupt, "number", signal.SIGINT))
    if RememberLaunch.directory is not None:
        with quiet_pipe():
            code = _report(outcomes(RememberLaunch.directory), time.monotonic() - started)
        sys.exit(code)


def _report(ended: list[Outcome], seconds: float) -> int:
    if not ended:
        print("no job: the sweep matched no config; oodbench --help lists them", file=sys.stderr)
        return 2
    failed = [outcome for outcome in ended if outcome.state == "failed"]
    if RememberLaunch.multirun:
        states = {
            state: sum(o.state == state for o in ended)
            for state in ("done", "skipped", "waiting", "left")
        }
        counts = ", ".join(f"{n} {state}" for state, n in states.items() if n)
        jobs = f"{len(ended)} job{'' if len(ended) == 1 else 's'}"
        print(f"{jobs} in {seconds:.0f} s: {counts or 'none done'}, {len(failed)} failed")
    _list_failures(ended)
    return 1 if failed else 0


def _list_failures(ended: list[Outcome]) -> None:
    """The failed jobs of a sweep; that of a single run has been said."""
    for outcome in ended:
        if RememberLaunch.multirun and outcome.state == "failed":
            print(outcome.failure(), file=sys.stderr)


if __name__ == "__main__":
    main()
