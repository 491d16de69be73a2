"""Several processes on one run: seconds of two shards, and what two and four processes do twice.

Seconds: one process, then two shards in a fresh tree, each process on a core of its own, with real
pictures, round after round; the best round of each counts. Whole commands are from the start of the
first process to the end of the last; steady is the rate from a process's first chunk to its last;
the processor's seconds are those of the longer shard, and tell the same where the cores are shared
with other work.

Twice: processes with the same overrides, undisturbed and with one of them killed (SIGKILL) in the
middle, on the sweep of `measurements/kills.py`, whose network counts the pictures that it sees.

    python measurements/shards.py --pictures /data/imagenet/val --json shards.json
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from oodbench.core.files import write_json
from oodbench.runs.records import chunk_files, read_info

sys.path.insert(0, str(Path(__file__).parents[1]))
from measurements.goals import goal_row
from measurements.kills import CHUNK, command, contents, prepare

GOAL = 0.6
WAYS: dict[str, list[list[str]]] = {
    "alone": [[]],
    "shards": [["shard.count=2", "shard.index=0"], ["shard.count=2", "shard.index=1"]],
    "same": [[], []],
}
"""Overrides of each process."""


def copied(pictures: Path, times: int, folder: Path) -> int:
    """Links to the pictures in their class folders, each several times; how many."""
    files = [file for file in pictures.glob("*/*") if file.is_file()]
    for file in files:
        (folder / file.parent.name).mkdir(parents=True, exist_ok=True)
        for number in range(times):
            link = folder / file.parent.name / f"{file.stem}_{number}{file.suffix}"
            link.symlink_to(file.resolve())
    return len(files) * times


@dataclass(frozen=True)
class Taken:
    """Seconds until all processes have ended, and of the processor that the longest one took."""

    seconds: float
    processor: float


def evaluated(scratch: Path, output: str, processes: Sequence[Sequence[str]]) -> Taken:
    """What processes take, each on a core of its own.

    Args:
        scratch: holds the pictures and what is kept between runs.
        output: name of the tree.
        processes: further overrides of each.
    """
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OODBENCH_CACHE": str(scratch / "cache"),
    }
    line = [
        *(sys.executable, "-m", "oodbench.run", "model=efficientnet_lite0", "benchmark=imagenet"),
        *(f"benchmark.root={scratch / 'pictures'}", "data.allow_partial=true"),
        *(f"engine.cache_dir={scratch / 'engines'}", f"output_root={scratch / output}"),
    ]
    start = time.perf_counter()
    running = [
        subprocess.Popen(
            [*line, *overrides],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=partial(os.sched_setaffinity, 0, {core}),
        )
        for core, overrides in zip(sorted(os.sched_getaffinity(0)), processes, strict=False)
    ]
    assert len(running) == len(processes), "there are fewer cores than processes"
    processor = max(map(_processor_seconds, running))
    return Taken(time.perf_counter() - start, processor)


def _processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """Of a process that is waited for."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"exit code {process.returncode}"
    return usage.ru_utime + usage.ru_stime


def steady(output: Path, n_shards: int) -> float:
    """Pictures a second of all shards together, each from its first chunk to its last."""
    (records,) = (output / "runs").glob("*/*/*/records")
    files = chunk_files(records, "")
    total = 0.0
    for shard in range(n_shards):
        own = files[shard::n_shards]
        seconds = own[-1].stat().st_mtime - own[0].stat().st_mtime
        infos = [read_info(file) for file in own[1:]]
        total += sum(info.n_items for info in infos if info is not None) / seconds
    return total


def timed(pictures: Path, copies: int, rounds: int) -> list[dict[str, Any]]:
    """Of two shards, and of two processes with the same overrides, against one process."""
    taken: dict[str, list[Taken]] = {way: [] for way in WAYS}
    rates: dict[str, list[float]] = {"alone": [], "shards": []}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        n_pictures = copied(pictures, copies, scratch / "pictures")
        evaluated(scratch, "warm-up", [["limit=16"]])
        agree = True
        for number, (way, processes) in product(range(rounds), WAYS.items()):
            output = f"{way}-{number}"
            taken[way].append(evaluated(scratch, output, processes))
            if way in rates:
                rates[way].append(steady(scratch / output, len(processes)))
            agree &= contents(scratch / output) == contents(scratch / "alone-0")
            print(f"{output}: {taken[way][-1].seconds:.1f} s", flush=True)
    seconds = {way: min(one.seconds for one in found) for way, found in taken.items()}
    processor = {way: min(one.processor for one in found) for way, found in taken.items()}
    rate = {way: max(found) for way, found in rates.items()}
    for way in rate:
        start_up = seconds[way] - n_pictures / rate[way]
        print(f"{way}: {rate[way]:.1f} pictures a second, start-up {start_up:.1f} s")
    works = {
        f"two shards, {n_pictures} pictures, whole commands": seconds["shards"] / seconds["alone"],
        "two shards, steady state": rate["alone"] / rate["shards"],
        "two shards, processor of the longer one": processor["shards"] / processor["alone"],
        "two processes, same overrides, whole commands": seconds["same"] / seconds["alone"],
    }
    unit = f"of one process, which takes {seconds['alone']:.0f} s"
    return [goal_row(work, round(ours, 3), GOAL, unit, agree) for work, ours in works.items()]


class Sharing:
    """The sweep of `measurements/kills.py`, computed by several processes at once."""

    def __init__(self, folder: Path, per_class: int) -> None:
        self._folder = folder
        prepare(folder, per_class)
        self.needed = self._computed("alone", 1)

    def row(self, n_processes: int, *, killed: bool) -> dict[str, Any]:
        """What was computed twice, at most a chunk a process."""
        name = f"{n_processes}-{'killed' if killed else 'undisturbed'}"
        extra = self._computed(name, n_processes, kill_after=self.needed // 2 if killed else None)
        extra -= self.needed
        goal = n_processes * CHUNK
        same = contents(self._folder / name) == contents(self._folder / "alone")
        how = ", one of them killed" if killed else ""
        work = f"pictures computed twice by {n_processes} processes{how}, {self.needed} pictures"
        return goal_row(work, extra, goal, "pictures", same and extra <= goal)

    def _computed(self, output: str, n_processes: int, kill_after: int | None = None) -> int:
        """How many pictures the networks of the processes have seen."""
        seen = self._folder / f"seen-{output}"
        seen.touch()
        environment = {
            **os.environ,
            "PYTHONPATH": str(self._folder),
            "OMP_NUM_THREADS": "1",
            "OODBENCH_CACHE": str(self._folder / "cache"),
            "PICTURES_SEEN": str(seen),
        }
        running = [
            subprocess.Popen(
                command(output),
                cwd=self._folder,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(n_processes)
        ]
        if kill_after is not None:
            while seen.stat().st_size < kill_after:
                time.sleep(0.005)
            victim = running.pop()
            assert victim.poll() is None, "a process ended before it could be killed"
            victim.kill()
            victim.wait()
        codes = [process.wait() for process in running]
        assert codes == [0] * len(running), f"exit codes {codes}"
        return seen.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--copies", type=int, default=20, help="of each picture")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--per-class", type=int, default=40, help="small pictures that are counted")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = timed(arguments.pictures, arguments.copies, arguments.rounds)
    with tempfile.TemporaryDirectory() as folder:
        sharing = Sharing(Path(folder), arguments.per_class)
        rows += [
            sharing.row(n_processes, killed=killed)
            for n_processes in (2, 4)
            for killed in (False, True)
        ]
    for row in rows:
        print("{work}: {ours} {unit}, goal {theirs}, agree: {agree}".format(**row))
    if arguments.json is not None:
        write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
