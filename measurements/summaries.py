"""What the summary of a run costs: 3.75 million made-up rows as of ImageNet-C are scored.

`ours` is the seconds that making the summary takes of it, `theirs` those of all else.

    python measurements/summaries.py --json summaries.json
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from oodbench.benchmarks.trees import ImageNetC
from oodbench.core.files import json_text, write_json
from oodbench.metrics.corruption import TEST_CORRUPTIONS
from oodbench.reference import SEVERITIES
from oodbench.runs.records import ChunkInfo, chunk_path, write_chunk
from oodbench.runs.scoring import score_records
from oodbench.runs.summaries.collect import Collector
from oodbench.runs.summaries.summary import content_of

CHUNK = 2000


def write_records(folder: Path, splits: list[str], n: int) -> None:
    rng = np.random.default_rng(0)
    label = np.arange(n).astype(np.int16) % 1000
    image = np.array([f"n{one:08d}/ILSVRC2012_val_{k:08d}.JPEG" for k, one in enumerate(label)])
    for split in splits:
        confidence = rng.beta(2, 2, n).astype(np.float32)
        prediction = np.where(rng.uniform(size=n) < confidence, label, 0).astype(np.int16)
        for first in range(0, n, CHUNK):
            rows = slice(first, min(first + CHUNK, n))
            size = rows.stop - first
            columns: dict[str, Any] = {
                "image": image[rows],
                "split": np.full(size, split),
                "position": np.arange(first, rows.stop),
                "frame": np.zeros(size, np.int16),
                "label": label[rows],
                "prediction": prediction[rows],
                "confidence": confidence[rows],
                "top5": rng.integers(0, 1000, (size, 5)).astype(np.int16),
            }
            info = ChunkInfo(size, (), "eager", "cpu", 1)
            write_chunk(chunk_path(folder, split, first // CHUNK), columns, info)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=50_000, help="of each of the 75 splits")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()

    spent = [0.0]

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*arguments: Any) -> Any:
            start = time.perf_counter()
            found = call(*arguments)
            spent[0] += time.perf_counter() - start
            return found

        return measured

    Collector.add = timed(Collector.add)  # type: ignore[method-assign]
    Collector.summary = timed(Collector.summary)  # type: ignore[method-assign]
    splits = [f"{kind}/{severity}" for kind in TEST_CORRUPTIONS for severity in SEVERITIES]
    with tempfile.TemporaryDirectory() as folder:
        write_records(Path(folder), splits, chosen.pictures)
        benchmark = ImageNetC(root=folder, n_expected=chosen.pictures)
        start = time.perf_counter()
        counts = dict.fromkeys(splits, chosen.pictures)
        scored = score_records(benchmark, Path(folder), counts, None)
        total = time.perf_counter() - start
    found = {
        "rows": len(splits) * chosen.pictures,
        "ours": round(spent[0], 2),
        "theirs": round(total - spent[0], 2),
        "bytes": len(json_text(content_of(scored.summary))),
    }
    print(json.dumps(found))
    if chosen.json:
        write_json(chosen.json, found)


if __name__ == "__main__":
    main()
