"""Seconds, memory and size of `oodbench-report` on the published table.

26 models on seven benchmarks, all made up and stored as runs store them. Two models have the 3.75
million records of ImageNet-C and no summary of them, all other runs have summaries and no records.
Each figure is that of a process of its own, its start included; `theirs` is the goal. `agree`:
every model is in the page.

    python measurements/report.py --json report.json
    python measurements/report.py --pictures 1000    # of each of the 75 splits, not 50000
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from oodbench.core.files import GIB, write_json
from oodbench.core.shipped import published_columns
from oodbench.reference import published_models

sys.path.insert(0, str(Path(__file__).parents[1]))
from measurements.goals import goal_row
from measurements.report_runs import CORRUPTED, store_published_table, store_run

WITH_RECORDS = 2
SECONDS_FIRST, SECONDS_AGAIN, GOAL_GIB, GOAL_MEGABYTES = 30.0, 5.0, 2.0, 8.0


def timed(root: Path, page: Path) -> tuple[float, float]:
    """Seconds and GiB of the command; seconds of the processor are printed."""
    line = [sys.executable, "-m", "oodbench.cli.report", "--output-root", str(root)]
    start = time.monotonic()
    process = subprocess.Popen([*line, "--out", str(page)])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{line}: exit code {process.returncode}")
    print(f"processor: {usage.ru_utime + usage.ru_stime:.1f} s")
    return time.monotonic() - start, usage.ru_maxrss * 1024 / GIB


def store(root: Path, pictures: int) -> None:
    """All runs."""
    models = published_models()
    others = [name for name in published_columns() if name != CORRUPTED]
    store_published_table(root, models=models[:WITH_RECORDS], benchmarks=others)
    store_published_table(root, models=models[WITH_RECORDS:])
    generator = np.random.default_rng(1)
    for model in models[:WITH_RECORDS]:
        store_run(root, model, CORRUPTED, 75 * pictures, generator, with_records=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pictures", type=int, default=50_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        store(root, options.pictures)
        page = root / "report.html"
        first, memory = timed(root, page)
        again, _ = timed(root, page)
        text = page.read_text("utf-8")
        agree = all(f"{model} × {CORRUPTED}" in text for model in published_models())
        megabytes = page.stat().st_size / 1e6
    n_rows = 75 * options.pictures
    work = f"oodbench-report, {WITH_RECORDS} × {n_rows} records without summary"
    rows = [
        goal_row(work, first, SECONDS_FIRST, "s", agree),
        goal_row(f"{work}, nothing changed", again, SECONDS_AGAIN, "s", agree),
        goal_row(work, memory, GOAL_GIB, "GiB", agree),
        goal_row(work, megabytes, GOAL_MEGABYTES, "MB", agree),
    ]
    for entry in rows:
        print("{work}: {ours:.2f} {unit}, goal {theirs:g}, {agree}".format(**entry))
    if options.json:
        write_json(options.json, rows)


if __name__ == "__main__":
    main()
