"""What a task of an array does: its commands; before its time is over, it is queued again."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from oodbench.sweeps.outcomes import PART_OF_A_SWEEP
from oodbench.sweeps.submission.tasks import read_task

log = logging.getLogger(__name__)

_FORWARDED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


def run_task(folder: Path, environment: Mapping[str, str]) -> int:
    """Run the commands of one task.

    Signals go on to the command that runs. After SIGUSR1, which comes before the time of the job is
    over, the command keeps what it has, and SLURM is asked to queue the job again.

    Args:
        folder: of the submission.
        environment: SLURM's variables among it.

    Returns:
        The largest exit code of the commands: a failing one does not keep the others from running.
    """
    number = environment["SLURM_ARRAY_TASK_ID"]
    task = read_task(folder, int(number))
    log.info("%s: %d commands", task.name, len(task.commands))
    running = _Running()
    codes = [0]
    for arguments in task.commands:
        if running.signals:
            break
        command = [sys.executable, "-m", "oodbench.run", *arguments]
        codes.append(running.run(command, {**environment, PART_OF_A_SWEEP: "1"}))
    if signal.SIGUSR1 in running.signals:
        # SLURM_JOB_ID of one of the tasks is that of the whole array.
        return _queue_again(f"{environment['SLURM_ARRAY_JOB_ID']}_{number}")
    return max(codes)


class _Running:
    """The command that runs, to which signals are sent on.

    Attributes:
        signals: that came.
    """

    def __init__(self) -> None:
        self.signals: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        for number in _FORWARDED:
            signal.signal(number, self._forward)

    def run(self, command: list[str], environment: Mapping[str, str]) -> int:
        """Its exit code."""
        self._process = subprocess.Popen(command, env=dict(environment))
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def _forward(self, number: int, frame: FrameType | None) -> None:
        self.signals.append(number)
        if self._process is not None:
            self._process.send_signal(number)


def _queue_again(job: str) -> int:
    try:
        subprocess.run(["scontrol", "requeue", job], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        log.error("job %s could not be queued again (%s): submit the sweep again", job, error)
        return os.EX_TEMPFAIL
    return 0
