"""`oodbench-data corrupt` or `perturb` with several workers against one: time and bytes.

Whole commands, start and imports included, in turn, into new folders beside each other. They agree
if every file has the same bytes. The efficiency is the ratio divided by the number of workers.

    python measurements/generate.py --pictures /data/imagenet/val --json generate.json
    python measurements/generate.py --pictures /data/imagenet/val --command perturb --count 8
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from first_pictures import first_pictures

from oodbench.core.files import read_json, write_json
from oodbench.data.manifest import NAME as MANIFEST

COMMANDS = ("corrupt", "perturb")
GOAL = 0.85


def copied(pictures: Path, count: int, source: Path) -> None:
    """The first pictures of every class in turn, as a folder of class folders."""
    for path in first_pictures(pictures, count):
        folder = source / path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)


def made(command: str, source: Path, out: Path, workers: int) -> tuple[float, dict[str, str]]:
    """Seconds, and the sha256 of each cell's list of checksums."""
    program = Path(sys.executable).with_name("oodbench-data")
    arguments = ["--source", str(source), "--out", str(out), "--workers", str(workers)]
    start = time.perf_counter()
    subprocess.run([str(program), command, *arguments], check=True)
    seconds = time.perf_counter() - start
    complete: dict[str, str] = read_json(out / MANIFEST)["complete"]
    shutil.rmtree(out)
    return seconds, complete


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--command", choices=COMMANDS, default=COMMANDS[0])
    parser.add_argument("--count", type=int, default=200, help="pictures (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="(default: %(default)s)")
    parser.add_argument("--repetitions", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    several, one, agree = [], [], True
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "val"
        copied(options.pictures, options.count, source)
        for _ in range(options.repetitions):
            (alone, expected), (together, found) = (
                made(options.command, source, Path(folder) / "out", workers)
                for workers in (1, options.workers)
            )
            one.append(alone)
            several.append(together)
            agree = agree and found == expected
    ratio = median(alone / together for alone, together in zip(one, several, strict=True))
    row = {
        "work": f"{options.command}, {options.count} pictures, {options.workers} workers against 1",
        "ours": median(several),
        "theirs": median(one),
        "unit": "s",
        "ratio": ratio,
        "efficiency": ratio / options.workers,
        "agree": agree,
    }
    print(
        "{work}: {ours:.1f} {unit} against {theirs:.1f}, {ratio:.2f}x, efficiency "
        "{efficiency:.0%} (goal {goal:.0%}), same bytes: {agree}".format(**row, goal=GOAL)
    )
    if options.json:
        write_json(options.json, [row])


if __name__ == "__main__":
    main()
