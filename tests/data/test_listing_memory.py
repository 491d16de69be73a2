"""Listing a large data set takes little memory."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from oodbench.reference import imagenet_wnids

FILES_A_CLASS = 200
LIMIT_MB = 50

CODE = """
import sys
from pathlib import Path
from oodbench.evaluation.batches import Chunk, _tasks
from oodbench.benchmarks.folder import FolderBenchmark

def megabytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(field + ":")]
    return int(line.split()[1]) / 1024

benchmark = FolderBenchmark(root=sys.argv[1], n_expected=200_000, scores=[], classes="imagenet")
before = megabytes("VmRSS")
(split,) = benchmark.splits()
n = split.n_items
chunks = [Chunk(split, k, first, first + 500, first) for k, first in enumerate(range(0, n, 500))]
last = None
for task in _tasks(chunks):
    last = task.position, task.item.image
print(n, last[0], last[1], megabytes("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_200_000_files_are_listed_in_little_memory(tmp_path: Path) -> None:
    wnids = imagenet_wnids()
    for wnid in wnids:
        folder = tmp_path / "val" / wnid
        folder.mkdir(parents=True)
        first = folder / "ILSVRC2012_val_00000000.JPEG"
        first.write_bytes(bytes(1000))  # numbers up to 256 take no memory in Python
        for number in range(1, FILES_A_CLASS):
            os.link(first, folder / f"ILSVRC2012_val_{number:08d}.JPEG")
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "val")],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    shutil.rmtree(tmp_path / "val")
    n, last, image, growth = done.stdout.split()
    assert (int(n), int(last)) == (200_000, 199_999)
    assert image == f"{wnids[-1]}/ILSVRC2012_val_00000199.JPEG"
    assert float(growth) <= LIMIT_MB
