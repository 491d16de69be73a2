"""What a GPU is checked for, beside the tests marked `gpu`; measurements/gpu.sh runs both.

Each measurement is a process of its own with a limit in seconds; its rows are written as they come,
so that nothing is lost where one fails or time runs out. `--small` is the form for a processor:
few pictures and small networks, so that all the code is run; its figures mean nothing.

    python measurements/gpu.py --pictures /data/imagenet/val --device cuda --json gpu.json
    python measurements/gpu.py --pictures /data/imagenet/val --only autoattack --json more.json
"""

import argparse
import faulthandler
import json
import logging
import multiprocessing
import os
import platform
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import gpu_attacks
import gpu_predictions
import gpu_speed
from gpu_common import Job, Row

from oodbench.core.errors import first_line
from oodbench.core.files import write_json
from oodbench.core.versions import versions
from oodbench.sweeps.composing import register_all

LIBRARIES = ("torch", "torchvision", "timm", "torchattacks", "numpy", "pillow")
DONE = "done"


@dataclass(frozen=True)
class Measurement:
    """What gives rows.

    Attributes:
        seconds: it may take.
    """

    rows: Callable[[Job], Iterator[Row]]
    seconds: float


MEASUREMENTS = {
    "predictions": Measurement(gpu_predictions.predictions, 60),
    "resnet": Measurement(gpu_speed.resnet, 100),
    "networks": Measurement(gpu_speed.networks, 100),
    "loading": Measurement(gpu_speed.loading, 45),
    "resizing": Measurement(gpu_speed.resizing, 60),
    "cache": Measurement(gpu_speed.cache, 45),
    "steps": Measurement(gpu_attacks.steps, 45),
    "attack": Measurement(gpu_attacks.published, 120),
    "largest_attack": Measurement(gpu_attacks.largest, 75),
    "largest_network": Measurement(gpu_speed.largest, 120),
    "engines": Measurement(gpu_speed.engines, 150),
    "autoattack": Measurement(gpu_attacks.autoattack, 240),
}
"""In the order of their weight: what time is left for is done."""


@dataclass
class Report:
    """What is written, again after every row.

    Attributes:
        tests: what became of the tests.
        measurements: what became of each.
    """

    file: Path | None
    tests: str | None
    rows: list[Row] = field(default_factory=list)
    measurements: dict[str, str] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        goal = f" (goal {row['goal']})" if row["goal"] else ""
        print(
            "{work}: {ours} against {theirs} {unit}, ratio {ratio}{aim}, agree {agree}".format(
                **row, aim=goal
            ),
            flush=True,
        )
        self.write()

    def close(self, name: str, outcome: str) -> None:
        self.measurements[name] = outcome
        self.write()

    def write(self) -> None:
        if self.file:
            machine = {
                "processor": platform.machine(),
                "cores": len(os.sched_getaffinity(0)),
                "python": platform.python_version(),
                "versions": versions(LIBRARIES),
            }
            write_json(
                self.file,
                {
                    "machine": machine,
                    "tests": self.tests,
                    "measurements": self.measurements,
                    "rows": self.rows,
                },
            )


def carried_out(
    measurement: Measurement, job: Job, seconds: float, add: Callable[[Row], None]
) -> str:
    """Run it in a process of its own; what became of it."""
    # Forked, so that nothing is imported again; this process itself never uses the device.
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=send_rows, args=(measurement, job, sending, seconds))
    process.start()
    sending.close()
    end = time.monotonic() + seconds
    try:
        while receiving.poll(max(0.0, end - time.monotonic())):
            message: Row | str = receiving.recv()
            if isinstance(message, str):
                return message
            add(message)
        return f"stopped after {seconds:.0f} s"
    except EOFError:
        process.join()
        return f"died with exit code {process.exitcode}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.kill()
        process.join()


def send_rows(measurement: Measurement, job: Job, sending: Connection, seconds: float) -> None:
    """What the process does: rows, then what became of it."""
    os.setsid()
    faulthandler.dump_traceback_later(max(0.1, seconds - 1))  # says where it is stopped
    try:
        for row in measurement.rows(job):
            sending.send(row)
        sending.send(DONE)
    except Exception as error:  # of whatever library
        traceback.print_exc()
        sending.send(f"failed: {type(error).__name__}: {first_line(error)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="class folders, JPEG")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", help=f"some of {','.join(MEASUREMENTS)}")
    parser.add_argument("--small", action="store_true", help="the form for a processor")
    parser.add_argument("--seconds", type=float, default=480, help="for all of them together")
    parser.add_argument("--scratch", type=Path, help="folder for what runs write")
    parser.add_argument("--tests", help="what became of the tests, kept beside the rows")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else list(MEASUREMENTS)
    if unknown := [name for name in names if name not in MEASUREMENTS]:
        parser.error(f"--only: no {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    logging.basicConfig(level=logging.WARNING)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # with what it has started
    register_all()
    report = Report(given.json, given.tests)
    report.write()
    with ExitStack() as stack:
        scratch = given.scratch or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        job = Job(given.pictures.resolve(), given.device, scratch.resolve(), given.small)
        all_in_turn(names, job, given.seconds, report)
    print(json.dumps(report.measurements, indent=1))
    return 0 if set(report.measurements.values()) == {DONE} else 1


def all_in_turn(names: list[str], job: Job, seconds: float, report: Report) -> None:
    """As many as there is time for."""
    end = time.monotonic() + seconds
    for name in names:
        left = end - time.monotonic()
        if left <= 0:
            report.close(name, "not run: no time was left")
            continue
        measurement = MEASUREMENTS[name]
        clock = time.monotonic()
        outcome = carried_out(measurement, job, min(left, measurement.seconds), report.add)
        report.close(name, outcome)
        print(f"{name}: {outcome}, {time.monotonic() - clock:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
