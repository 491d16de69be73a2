"""`oodbench-submit`: a sweep as a job array of SLURM; returns once it is submitted."""

import argparse
import logging
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from oodbench.cli.arguments import add_version
from oodbench.core.command import as_command
from oodbench.core.errors import ConfigError, DataError
from oodbench.core.files import write_text
from oodbench.runs.paths import sweeps_directory
from oodbench.sweeps.jobs import Launch
from oodbench.sweeps.standing.definition import Sweep, keep_sweep, sweep_of
from oodbench.sweeps.submission.script import Resources, script_of
from oodbench.sweeps.submission.task import run_task
from oodbench.sweeps.submission.tasks import tasks_of, write_tasks

_EPILOG = """\
  oodbench-submit --partition gpu experiment=robustness_suite model=resnet50,moco_v2
  oodbench-submit --setup 'module load cuda' --sbatch=--account=NAME model=resnet50 \\
      benchmark=imagenet_c shard.count=8 'shard.index=range(0,8)'

All cells of a model are one task of the array, each shard is one of its own. oodbench-status says
where the sweep stands. Submitted again, it computes what is missing.
"""


@as_command("interrupted: nothing was submitted")
def main(arguments: list[str] | None = None) -> int:
    """Submit a sweep, or be one of its tasks.

    Args:
        arguments: command line without the program's name; `sys.argv` by default.

    Returns:
        Exit code: 0, or 1 after an error that the user can fix. Of a task that of its commands.
    """
    chosen = argument_parser().parse_intermixed_args(arguments)
    if chosen.task_of is not None:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
        return run_task(chosen.task_of, os.environ)
    launch = Launch(chosen.overrides, multirun=True, config_dir=chosen.config_dir)
    if not launch.jobs:
        raise ConfigError("no job: the sweep matches no config; oodbench --help lists them")
    sweep = sweep_of(chosen.overrides, launch.jobs, config_dir=chosen.config_dir)
    output_root = Path(launch.config(launch.jobs[0]).output_root)
    folder = _written(sweep, output_root, _resources(chosen))
    if chosen.dry_run:
        print(folder / "array.sh")
        return 0
    keep_sweep(output_root, sweep)
    print(f"{_submitted(folder / 'array.sh')}; where it stands: oodbench-status", end="")
    print("" if str(output_root) == "outputs" else f" --output-root {output_root}")
    return 0


def argument_parser() -> argparse.ArgumentParser:
    """The options of the command, without parsing any."""
    parser = argparse.ArgumentParser(
        prog="oodbench-submit",
        description="Submit a sweep as a job array of SLURM.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(parser)
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help="as of oodbench -m")
    parser.add_argument("-m", "--multirun", action="store_true", help="as of oodbench: always so")
    parser.add_argument("--config-dir", type=Path, metavar="DIR", help="as of oodbench")
    parser.add_argument("--partition", metavar="NAME", help="of SLURM (default: the cluster's)")
    parser.add_argument("--time", default="12:00:00", help="of a task (default: %(default)s)")
    parser.add_argument("--gpus", type=int, default=1, metavar="N", help="of a task (default: 1)")
    parser.add_argument("--cpus", type=int, default=16, metavar="N", help="of a task (default: 16)")
    parser.add_argument("--mem", default="64G", help="of a task (default: %(default)s)")
    parser.add_argument(
        "--at-once", type=int, default=32, metavar="N", help="tasks that run at once (default: 32)"
    )
    parser.add_argument(
        "--sbatch",
        action="append",
        default=[],
        metavar="OPTION",
        help="a further option of sbatch, such as --sbatch=--account=NAME (may be repeated)",
    )
    parser.add_argument(
        "--setup",
        action="append",
        default=[],
        metavar="LINE",
        help="a line of the shell before each task, such as 'module load cuda' (may be repeated)",
    )
    parser.add_argument(
        "--wrapper",
        type=shlex.split,
        default=[],
        metavar="WORDS",
        help="before the command, such as 'apptainer exec --nv image.sif'; give --python too",
    )
    parser.add_argument(
        "--python", default=sys.executable, help="that runs oodbench (default: this one)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="write the script, say where, and submit nothing"
    )
    parser.add_argument("--task-of", type=Path, help=argparse.SUPPRESS)
    return parser


def _resources(chosen: argparse.Namespace) -> Resources:
    partition = [f"--partition={chosen.partition}"] if chosen.partition else []
    return Resources(
        time=chosen.time,
        gpus=chosen.gpus,
        cpus=chosen.cpus,
        memory=chosen.mem,
        at_once=chosen.at_once,
        options=[*partition, *chosen.sbatch],
        setup=chosen.setup,
        wrapper=chosen.wrapper,
        python=chosen.python,
    )


def _written(sweep: Sweep, output_root: Path, resources: Resources) -> Path:
    """The folder of a submission, with the script and its tasks."""
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    folder = sweeps_directory(output_root).resolve() / "submitted" / f"{sweep.identity}_{stamp}"
    tasks = tasks_of(sweep, sweep.jobs)
    script = script_of(folder, len(tasks), resources)
    write_tasks(folder, tasks)
    write_text(folder / "array.sh", script)
    return folder


def _submitted(script: Path) -> str:
    """What sbatch says of it."""
    try:
        done = subprocess.run(["sbatch", str(script)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise DataError(f"sbatch: not found: submit {script} where SLURM is") from None
    if done.returncode:
        raise DataError(f"{script}: sbatch refuses it: {' '.join(done.stderr.split())}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
