"""`oodbench-probe`: compose -> validate -> key -> done already? -> train -> classifier's file.

oodbench-probe model=moco_v2 data.root=/data
torchrun --nproc-per-node 8 --no-python oodbench-probe model=moco_v2 data.root=/data
"""

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from oodbench.core.command import quiet_pipe
from oodbench.core.errors import failure_line, is_mendable
from oodbench.probe.schema import ProbeConfig, register_probe_schema, validate_probe
from oodbench.sweeps.composing import CONFIG_PATH
from oodbench.sweeps.launch_errors import report_in_one_line
from oodbench.sweeps.launching import prepare_launch
from oodbench.sweeps.outcomes import Outcome, RememberLaunch, outcomes, write_outcome

log = logging.getLogger("oodbench")

SUMMARY = "Train a linear classifier on the frozen features of a model."


def run_probe(probe: ProbeConfig) -> Outcome:
    """Train one classifier, or find that it is done already."""
    from oodbench.probe.execute import describe_probe, train_probe
    from oodbench.probe.plan import make_probe_plan
    from oodbench.probe.processes import join

    processes = join(probe.device)
    # The first process downloads, hashes and lists; the others find what it has found.
    if not processes.writes:
        processes.wait()
    plan = make_probe_plan(probe)
    if processes.writes:
        processes.wait()
    done_already = train_probe(plan, processes)
    message = describe_probe(plan)
    if probe.model.weights.layout == "moco_v2" and probe.data.classes == "imagenet_1k":
        message += f"\n  use   {_command(probe)}"
    return Outcome("skipped" if done_already else "done", probe.model.name, message)


def _command(probe: ProbeConfig) -> str:
    """The command that evaluates the classifier, with the model as it was chosen here."""
    given = HydraConfig.get().overrides.task
    chosen = [item for item in given if item.startswith(("model", "weights.", "data.root="))]
    if probe.head_file is not None:
        chosen.append(f"model.weights.head_file={probe.head_file}")
    return " ".join(["oodbench", "benchmark=imagenet", *chosen])


def task(config: DictConfig) -> None:
    """Hydra's task: never raises but on Ctrl-C, so that a failing job does not stop a sweep."""
    if _rank() > 0:
        logging.getLogger("oodbench").setLevel(logging.WARNING)
    name = "config"
    try:
        probe = validate_probe(config)
        name = probe.model.name
        outcome = run_probe(probe)
    except Exception as error:
        outcome = Outcome("failed", name, failure_line(error))
        log.error("%s: %s", name, outcome.message, exc_info=not is_mendable(error))
    write_outcome(Path(HydraConfig.get().runtime.output_dir), outcome)
    if outcome.state != "failed" and _rank() == 0:
        print(outcome.message, flush=True)


def _rank() -> int:
    """Rank of this process among those that torchrun started."""
    return int(os.environ.get("RANK", "0"))


def main() -> None:
    """Exit codes: 0 all well, 1 a job failed, 130 Ctrl-C."""
    prepare_launch("oodbench-probe", SUMMARY, "probe", ProbeConfig)
    register_probe_schema()
    launch = hydra.main(version_base="1.3", config_path=CONFIG_PATH, config_name="probe")(task)
    try:
        with quiet_pipe():
            report_in_one_line(launch)
    except KeyboardInterrupt:
        if _rank() == 0:
            print(
                "\ninterrupted: the checkpoint is kept, the same command goes on from it",
                file=sys.stderr,
            )
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(130)
    if RememberLaunch.directory is not None:
        ended = outcomes(RememberLaunch.directory)
        if any(outcome.state == "failed" for outcome in ended):
            sys.exit(1)
        from oodbench.probe.processes import leave

        leave()


if __name__ == "__main__":
    main()
