"""A sweep that is killed again and again (SIGKILL, at seeded moments) and started anew each time.

Compared are all bytes of its runs with those of an undisturbed sweep, and how many pictures were
computed more than once: `theirs` is what a run loses that writes its records at the end alone.

    python measurements/kills.py --kills 50 --json kills.json
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from oodbench.core.files import write_json
from oodbench.reference import imagenet_wnids

CHUNK = 20
N_CLASSES = 10
NETWORK = '''
import os
import time

import torch
from torch import nn


class Counting(nn.Module):
    """Says how many pictures it has seen, one byte each, and takes its time."""

    def __init__(self, *, seed):
        super().__init__()
        self.head = nn.Linear(48, 1000)
        with torch.no_grad():
            generator = torch.Generator().manual_seed(seed)
            self.head.weight.copy_(torch.randn(1000, 48, generator=generator))
            self.head.bias.zero_()

    def forward(self, x):
        time.sleep(0.02 * len(x))
        with open(os.environ["PICTURES_SEEN"], "ab", buffering=0) as file:
            file.write(b"." * len(x))
        return self.head(nn.functional.adaptive_avg_pool2d(x, 4).flatten(1))
'''
MODEL = """name: counting_{number}
input_size: 32
network:
  _target_: counting.Counting
  seed: {number}
weights:
  identity: counting-{number}
"""


def prepare(folder: Path, per_class: int) -> None:
    """Two models and two benchmarks of small pictures."""
    (folder / "counting.py").write_text(NETWORK)
    models = folder / "my_conf" / "model"
    models.mkdir(parents=True)
    for number in range(2):
        (models / f"counting_{number}.yaml").write_text(MODEL.format(number=number))
    for seed, place in enumerate(("imagenet/val", "imagenet-sketch")):
        for index, wnid in enumerate(imagenet_wnids()[:N_CLASSES]):
            (folder / "data" / place / wnid).mkdir(parents=True)
            for k in range(per_class):
                pixels = np.random.default_rng([seed, index, k]).integers(0, 256, (40, 40, 3))
                picture = Image.fromarray(pixels.astype(np.uint8))
                picture.save(folder / "data" / place / wnid / f"{wnid}_{k:03d}.JPEG")


def command(output_root: str) -> list[str]:
    return [
        *(sys.executable, "-m", "oodbench.run", "-m", "--config-dir", "my_conf"),
        *("model=counting_0,counting_1", "benchmark=imagenet,imagenet_sketch"),
        *("preprocessing=timm", "engine=eager", "engine.batch_size=4", "data.root=data"),
        *("data.allow_partial=true", f"benchmark.chunk_size={CHUNK}"),
        f"output_root={output_root}",
    ]


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted((root / "runs").rglob("*"))
        if path.is_file() and path.name not in ("run.json", ".run.json.lock")
    }


def disturbed(folder: Path, environment: dict[str, str], kills: int, seed: int) -> int:
    """Start the sweep until it ends by itself; how often it was killed."""
    moments = random.Random(seed)
    done = 0
    while True:
        process = subprocess.Popen(
            command("killed"),
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if done == kills:
            assert process.wait() == 0
            return done
        seen = Path(environment["PICTURES_SEEN"])
        before = seen.stat().st_size if seen.exists() else 0
        # Imports take seconds: a moment is counted in pictures, from those that are there.
        after = moments.randint(0, 2 * CHUNK)
        while process.poll() is None and _size(seen) < before + after:
            time.sleep(0.005)
        time.sleep(moments.random() * 0.1)
        if process.poll() is not None:
            return done
        process.send_signal(signal.SIGKILL)
        process.wait()
        done += 1


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--per-class", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, arguments.per_class)
        environment = {**os.environ, "PYTHONPATH": name, "OMP_NUM_THREADS": "1"}
        environment["OODBENCH_CACHE"] = f"{name}/cache"
        environment["PICTURES_SEEN"] = f"{name}/seen"
        kills = disturbed(folder, environment, arguments.kills, arguments.seed)
        seen = _size(folder / "seen")
        (folder / "seen").unlink()
        subprocess.run(
            command("alone"), cwd=folder, env=environment, check=True, capture_output=True
        )
        needed = _size(folder / "seen")
        same = contents(folder / "killed") == contents(folder / "alone")
    extra = seen - needed
    print(f"{kills} kills: {extra} pictures more than {needed}, {extra / max(kills, 1):.1f} a kill")
    print(f"bytes of all runs {'equal' if same else 'DIFFER'}; a chunk holds {CHUNK} pictures")
    row = {
        "work": f"pictures computed twice, {kills} SIGKILLs over {needed} pictures",
        "ours": extra,
        "theirs": kills * CHUNK,
        "unit": "pictures, and at most a chunk a kill",
        "ratio": round(kills * CHUNK / max(extra, 1), 2),
        "agree": same and extra <= kills * CHUNK,
    }
    if arguments.json is not None:
        write_json(arguments.json, [row])


if __name__ == "__main__":
    main()
