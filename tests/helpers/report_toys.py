"""An outputs folder with something of everything that a report shows, names that attack it too."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from run_factory import failure, run_result, score, store, store_failure

from oodbench.runs.key import PIPELINE
from oodbench.runs.records import ChunkInfo, chunk_path, write_chunk
from oodbench.runs.results import RunResult

HOSTILE = '<img src=x onerror="alert(1)">&amp;'
"""A model's name: what HTML would take for its own; a folder can have it."""

SAID = "</script><script>alert(2)</script>\n# *no* heading\x00"
"""A text of an error, a note or a config."""

N = 40


def store_everything(root: Path) -> None:
    """Two pipelines of a model with records, and runs that are partial, demo, an extension, whose
    attack is in doubt, that hold hostile text, and that failed."""
    for key, pipeline, right in (("a1", "published", 30), ("a2", "timm", 24)):
        difference = [] if pipeline == "published" else [f"preprocessing={pipeline}"]
        run = _with_records(root, key, right, preprocessing=pipeline, difference=difference)
        sessions = [{"seconds": 8.0, "items": N, "engine": "eager", "device": "cpu", "host": "h"}]
        (root / "runs" / "imagenet" / "resnet50" / run.key / "run.json").write_text(
            json.dumps({"sessions": sessions})
        )
    partial = {"status": "partial", "n_images": N, "n_expected": 7500}
    _with_records(root, "b1", 10, benchmark="imagenet_a", **partial)
    _with_records(root, "b2", 20, model="mynet", demo=True, notes=["demo data"])
    _with_records(root, "b3", 35, model="mynet", benchmark="imagenet_sketch", extension=True)
    _with_records(root, "b4", 4, model=HOSTILE, notes=[SAID], config={"model": {"std": SAID}})
    store_failure(failure("mynet", "imagenet_a", error=SAID), root)


def _with_records(root: Path, key: str, right: int, **changed: Any) -> RunResult:
    splits = {"": {"n_items": N, "n": N, "n_expected": N, "skipped": []}}
    share = right / N
    node = {"_target_": PIPELINE, "resize": 256, "crop": 224, "interpolation": "bilinear"}
    fields = {
        **{"model": "resnet50", "benchmark": "imagenet", "key": key.ljust(12, "0")},
        **{"n_images": N, "n_expected": N, "splits": splits},
        "scores": {"top1": score(share, share - 0.1, share + 0.1, n=N)},
        "config": {"preprocessing": node, "attack": {"name": "none"}},
        **changed,
    }
    run = run_result(**fields)
    folder = store(run, root)
    label = np.arange(N, dtype=np.int16)
    columns = {
        "image": np.array([f"{number}.png" for number in range(N)]),
        "position": np.arange(N, dtype=np.int32),
        "frame": np.zeros(N, dtype=np.int16),
        "label": label,
        "prediction": np.where(label < right, label, label + 1).astype(np.int16),
        "confidence": np.linspace(0.2, 0.9, N, dtype=np.float32),
        "top5": np.tile(np.arange(5, dtype=np.int16), (N, 1)),
    }
    info = ChunkInfo(N, (), "eager", "cpu", 8, "", run.key, "", 0)
    write_chunk(chunk_path(folder / "records", "", 0), columns, info)
    return run
