"""The corruptions against imagecorruptions and corrupt-tta: same pictures, one thread each.

Time of the processor a picture, over 19 corruptions x 5 severities, the best of several rounds,
each package in a process of its own. How to make the other environments, and what is mended in
imagecorruptions so that it runs: benchmarks/corruption_peers.py.

    python benchmarks/corruptions.py --pictures /data/imagenet/val \\
        --reference-python old/bin/python --tta-python new/bin/python --json corruptions.json
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from oodbench.benchmarks.listing import PICTURE_SUFFIXES, list_folders, round_robin
from oodbench.corruptions.files import clean_picture
from oodbench.corruptions.parameters import SEVERITIES, names

GOAL_TOTAL, GOAL_EACH, GOAL_GLASS = 5.0, 0.95, 30.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def times(python: str, peer: str, pictures: Path, rounds: int) -> dict[str, float]:
    """Milliseconds by `<corruption>/<severity>`."""
    script = Path(__file__).with_name("corruption_peers.py")
    command = [python, str(script), "times", "--peer", peer, "--pictures", str(pictures)]
    done = subprocess.run(
        [*command, "--rounds", str(rounds)],
        env=os.environ | ONE_THREAD,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compared(found: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """A row a corruption, summed over severities, and the total."""
    rows = []
    for name in (*names(), "total"):
        corruptions = names() if name == "total" else [name]
        sums = {
            peer: sum(cells[f"{corruption}/{s}"] for corruption in corruptions for s in SEVERITIES)
            for peer, cells in found.items()
        }
        faster = min(value for peer, value in sums.items() if peer != "oodbench")
        rows.append({"corruption": name, **sums, "ratio": faster / sums["oodbench"]})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--reference-python", required=True, help="with imagecorruptions")
    parser.add_argument("--tta-python", help="with corrupt-tta")
    parser.add_argument("--count", type=int, default=8, help="pictures (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    items = round_robin(list_folders(options.pictures, PICTURE_SUFFIXES))
    chosen = [options.pictures.joinpath(*item) for item in items[: options.count]]
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures.npy"
        np.save(pictures, np.stack([clean_picture(path) for path in chosen]))
        pythons = {"oodbench": sys.executable, "imagecorruptions": options.reference_python}
        if options.tta_python:
            pythons["corrupt_tta"] = options.tta_python
        found = {
            peer: times(python, peer, pictures, options.rounds) for peer, python in pythons.items()
        }
    rows = compared(found)
    print(f"{'ms a picture, 5 severities':<28}{''.join(f'{peer:>18}' for peer in found)}  faster x")
    for row in rows:
        values = "".join(f"{row[peer]:>18.2f}" for peer in found)
        print(f"{row['corruption']:<28}{values}{row['ratio']:>10.2f}")
    ratios = {row["corruption"]: row["ratio"] for row in rows}
    total = ratios.pop("total")
    slowest = min(ratios, key=lambda name: ratios[name])
    print(
        f"total {total:.2f}x (goal {GOAL_TOTAL}), glass_blur {ratios['glass_blur']:.1f}x "
        f"(goal {GOAL_GLASS}), least {slowest} {ratios[slowest]:.2f}x (goal {GOAL_EACH})"
    )
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "cells": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
