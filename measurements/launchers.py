"""Milliseconds a job that launching takes: sweeps of fake jobs, whose runs are finished already.

So each job is composed, launched, planned, found done and recorded, and nothing is computed. The
jobs are those of the toys of `measurements/kills.py`, told apart by `data.workers`. `theirs` is a
program of Hydra that has an empty config and does nothing, started by the same launcher; beside
`oodbench-submit --dry-run`, by Hydra's own one. Whole commands are timed, their start included.
`agree`: every job was found done, or is in the array.

    python measurements/launchers.py --json launchers.json
    python measurements/launchers.py --launchers submitit_slurm ray
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oodbench.core.files import write_json

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
from slurm_cluster import cluster

from measurements.kills import command, prepare

OUTPUTS = "outputs"
CELLS = 4
"""Of the sweep of `measurements/kills.py`."""

SUBMIT = "oodbench-submit"
EMPTY = """\
import hydra


@hydra.main(version_base="1.3", config_path=None)
def main(config):
    pass


main()
"""


@dataclass(frozen=True)
class Launcher:
    """How it is asked for.

    Attributes:
        overrides: of Hydra's own node.
        most: jobs, of which it needs seconds each or starts all at once; 0 for any number.
    """

    overrides: tuple[str, ...] = ()
    most: int = 0


LAUNCHERS = {
    "basic": Launcher(),
    "joblib": Launcher(("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")),
    SUBMIT: Launcher(),
    "submitit_local": Launcher(("hydra/launcher=submitit_local",), most=20),
    "submitit_slurm": Launcher(
        ("hydra/launcher=submitit_slurm", "hydra.launcher.mem_gb=null"), most=20
    ),
    "ray": Launcher(("hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2"), most=200),
}


class Sweeps:
    """Sweeps of finished cells in a folder, and of the empty program.

    Attributes:
        all_found: whether every job was found done, or is in the array.
    """

    def __init__(self, folder: Path) -> None:
        self.all_found = True
        self._folder = folder
        prepare(folder, per_class=1)
        (folder / "empty.py").write_text(EMPTY)
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(folder),
            "OMP_NUM_THREADS": "1",
            "OODBENCH_CACHE": str(folder / "cache"),
            "PICTURES_SEEN": str(folder / "seen"),
        }
        self._run(command(OUTPUTS), {})

    def ours(self, name: str, environment: Mapping[str, str], n_jobs: int) -> float:
        """Seconds of a sweep."""
        jobs = f"data.workers=range(1,{n_jobs // CELLS + 1})"
        if name == SUBMIT:
            return self._submitted(n_jobs, jobs)
        line = [*command(OUTPUTS), *LAUNCHERS[name].overrides, jobs]
        seconds, said = self._run(line, environment)
        self.all_found &= f"{n_jobs} skipped, 0 failed" in said
        return seconds

    def empty(self, name: str, environment: Mapping[str, str], n_jobs: int) -> float:
        """Seconds of the same with the empty program."""
        line = [sys.executable, "empty.py", "-m", f"+number=range({n_jobs})"]
        return self._run([*line, *LAUNCHERS[name].overrides], environment)[0]

    def _submitted(self, n_jobs: int, jobs: str) -> float:
        """Seconds until the array of a sweep is written."""
        python, _, _, *overrides = command(OUTPUTS)
        overrides.remove("-m")
        line = [python, "-m", "oodbench.cli.submit", "--dry-run", *overrides, jobs]
        seconds, said = self._run(line, {})
        tasks = json.loads((self._folder / said.strip()).with_name("tasks.json").read_text())
        commands = [arguments for task in tasks for arguments in task["commands"]]
        self.all_found &= sum(map(n_jobs_of, commands)) == n_jobs
        return seconds

    def _run(self, line: list[str], environment: Mapping[str, str]) -> tuple[float, str]:
        start = time.perf_counter()
        done = subprocess.run(
            line,
            cwd=self._folder,
            env={**self._environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - start
        assert done.returncode == 0, done.stderr[-2000:]
        return seconds, done.stdout


def n_jobs_of(arguments: list[str]) -> int:
    """How many the lists of values of a sweep stand for."""
    return math.prod(text.count(",") + 1 for text in arguments if "=" in text)


@contextmanager
def environment_of(name: str) -> Iterator[dict[str, str]]:
    """Where the launcher needs a cluster, one of a single node."""
    if "slurm" not in name:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, cluster(Path(folder)) as found:
        yield {key: found[key] for key in ("SLURM_CONF", "PATH")}


def row_of(name: str, sweeps: Sweeps, n_jobs: int, rounds: int) -> dict[str, Any]:
    """Of one launcher; the best round counts."""
    sweeps.all_found = True
    with environment_of(name) as environment:
        ours, theirs = (
            1000 / n_jobs * min(sweep(name, environment, n_jobs) for _ in range(rounds))
            for sweep in (sweeps.ours, sweeps.empty)
        )
    said = f"{name}: {ours:.2f} ms a job, {theirs:.1f} with an empty program, {n_jobs} jobs"
    print(said, flush=True)
    return {
        "work": f"{name}, {n_jobs} jobs",
        "ours": round(ours, 2),
        "theirs": round(theirs, 2),
        "unit": "ms a job",
        "ratio": round(theirs / ours, 2),
        "agree": sweeps.all_found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1000, help="of launchers that are fast")
    parser.add_argument("--launchers", nargs="+", choices=LAUNCHERS, default=list(LAUNCHERS)[:4])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sweeps = Sweeps(Path(folder))
        for name in arguments.launchers:
            n_jobs = min(arguments.jobs, LAUNCHERS[name].most or arguments.jobs)
            rows.append(row_of(name, sweeps, n_jobs // CELLS * CELLS, arguments.rounds))
    if arguments.json is not None:
        write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
