"""A sweep of three models x three benchmarks against one usual loop of timm for each pair.

Ours is one command, `oodbench -m model=… benchmark=imagenet,imagenet_a,imagenet_sketch`; theirs one
process per pair, with the loop of `measurements/throughput.py`, as one runs timm's validate.py.
Both from the start of a process to its end, on the same pictures: those of the folder that belong
to the benchmark's classes. Predictions are compared picture by picture.

    python measurements/sweep.py --pictures /data/imagenet/val --json sweep.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from throughput import USUAL, in_process, loop_arguments

from oodbench.core.files import write_json
from oodbench.runs.records import read_split
from oodbench.runs.results import read_results

MODELS = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
BENCHMARKS = ("imagenet", "imagenet_a", "imagenet_sketch")
GOAL = 6.5


def sweep(pictures: Path, output: Path, engine: str, cache: str) -> float:
    """Seconds of the command."""
    command = [
        str(Path(sys.executable).with_name("oodbench")),
        "-m",
        f"model={','.join(MODELS)}",
        f"benchmark={','.join(BENCHMARKS)}",
        f"benchmark.root={pictures}",
        "data.allow_partial=true",
        "preprocessing=timm",
        f"engine={engine}",
        f"data.cache={cache}",
        f"output_root={output}",
    ]
    clock = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - clock


def usual(
    pictures: Path, found: dict[tuple[str, str], dict[str, int]], scratch: Path
) -> tuple[float, dict[tuple[str, str], dict[str, int]], str]:
    """Seconds of all loops, their predictions, and which loop: the best for the first pair."""
    best, total = None, 0.0
    predictions = {}
    for (model, benchmark), mine in found.items():
        images = scratch / f"{model}-{benchmark}.json"
        images.write_text(json.dumps(list(mine)))
        arguments = loop_arguments(model, pictures, images, scratch)
        times = {}
        for loop in [best] if best else USUAL:
            clock = time.perf_counter()
            predictions[model, benchmark] = in_process(arguments, "theirs", loop)["predictions"]
            times[loop] = time.perf_counter() - clock
        best = min(times, key=lambda loop: times[loop])
        total += times[best]
    return total, predictions, str(best)


def predictions_of(output: Path) -> dict[tuple[str, str], dict[str, int]]:
    """Top-1 by picture, by model and benchmark."""
    found = {}
    for result in read_results(output).results:
        assert result.directory is not None
        records = read_split(result.directory / "records", "")
        found[result.model, result.benchmark] = dict(
            zip(records["image"], map(int, records["prediction"]), strict=True)
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--cache", default="off")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    pictures = arguments.pictures.resolve()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        times = [
            sweep(pictures, scratch / f"ours-{number}", arguments.engine, arguments.cache)
            for number in range(arguments.rounds)
        ]
        mine = predictions_of(scratch / "ours-0")
        theirs, their_predictions, how = usual(pictures, mine, scratch)
    row: dict[str, Any] = {
        "work": f"{len(mine)} pairs of model and benchmark, "
        f"{sum(map(len, mine.values()))} pictures; usual loops: {how}",
        "ours": round(min(times), 1),
        "theirs": round(theirs, 1),
        "unit": "s",
        "ratio": round(theirs / min(times), 2),
        "agree": mine == their_predictions and len(mine) == len(MODELS) * len(BENCHMARKS),
        "goal": GOAL,
    }
    print(row)
    if arguments.json:
        write_json(arguments.json, [row])


if __name__ == "__main__":
    main()
