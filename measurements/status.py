"""Seconds of `oodbench-status` on a sweep of many jobs, three of four finished.

`theirs` is what the kernel needs to tell which of the files there are, without reading any.

    python measurements/status.py --jobs 10000 --json status.json
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from oodbench.core.files import write_json
from oodbench.core.lease import this_process
from oodbench.sweeps.standing.definition import keep_sweep, sweep_of
from oodbench.sweeps.standing.job_file import JobFile, job_file, write_job

STATES = ("done", "skipped", "failed", "waiting")


def write_sweep(root: Path, n_jobs: int) -> list[Path]:
    """Every file that is looked at."""
    jobs = [[f"model=m{number % 100}", f"seed={number}"] for number in range(n_jobs)]
    keep_sweep(root, sweep_of(["model=glob(*)"], jobs))
    files = []
    for number, overrides in enumerate(jobs):
        directory = Path("runs") / "imagenet" / overrides[0] / f"{number:012x}"
        state = STATES[number % len(STATES)]
        now = time.time()
        write_job(
            root,
            JobFile(
                *(f"{overrides[0]} × imagenet", state, now, now, this_process()),
                directory=str(directory),
                n_items=50_000,
                overrides=overrides,
            ),
        )
        if state != "failed":
            write_json(root / directory / "result.json", {})
        files += [job_file(root, overrides), root / directory / "result.json"]
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = write_sweep(Path(folder), arguments.jobs)
        start = time.perf_counter()
        there = sum(file.exists() for file in files)
        theirs = time.perf_counter() - start
        command = [sys.executable, "-m", "oodbench.cli.status", "--output-root", folder]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        ours = time.perf_counter() - start
    n_failed = len(range(2, arguments.jobs, len(STATES)))
    agree = f"{arguments.jobs - n_failed} done, {n_failed} failed" in done.stdout
    print(done.stdout.splitlines()[0])
    print(f"whole command {ours:.2f} s; {there} of {len(files)} files found in {theirs:.2f} s")
    row = {
        "work": f"oodbench-status, {arguments.jobs} jobs",
        "ours": round(ours, 3),
        "theirs": round(theirs, 3),
        "unit": "s",
        "ratio": round(theirs / ours, 3),
        "agree": agree and there == len(files) - n_failed,
    }
    if arguments.json is not None:
        write_json(arguments.json, [row])


if __name__ == "__main__":
    main()
