"""Seconds per job of a sweep in which everything is done already: 26 models x 7 benchmarks.

Every run gets a finished result from its own plan (random weights, demo data), then the sweep
is run once more as a subprocess. `theirs` is the goal, 0.2 s per job and 2.5 s for a single run.

    oodbench-data demo --out demo-data
    python measurements/skip.py --data demo-data --json skip.json
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from oodbench.core.files import write_json
from oodbench.core.schema import validate
from oodbench.runs.chunks import all_chunks, chunk_file
from oodbench.runs.plan import Plan, make_plan
from oodbench.runs.records import ChunkInfo, write_chunk
from oodbench.runs.results import RunResult, write_result
from oodbench.sweeps.composing import register_all

GOAL_A_JOB = 0.2
GOAL_SINGLE = 2.5


def finish(plan: Plan) -> None:
    """Write what a finished run leaves."""
    splits = {
        split.name: {"n_items": split.n_items, "n": split.n_items, "n_expected": 0, "skipped": []}
        for split in plan.splits
    }
    nothing: dict[str, Any] = {
        "missing_splits": [],
        "notes": [],
        "scores": {},
        "config": {},
        "attack_traits": None,
    }
    result = RunResult(
        key=plan.key,
        model=plan.run.model.name,
        benchmark=plan.run.benchmark.name,
        preprocessing="published",
        attack=str(plan.run.attack["name"]),
        difference=[],
        status="partial",
        demo=plan.demo,
        extension=False,
        headline=plan.benchmark.headline,
        n_images=0,
        n_expected=0,
        splits=splits,
        weights=plan.weights.identity,
        precision="fp32",
        dataset_fingerprint="",
        **nothing,
    )
    write_json(plan.paths.key_document, plan.document)
    for chunk in all_chunks(plan):
        info = ChunkInfo(chunk.stop - chunk.first, (), "eager", "cpu", 1)
        write_chunk(chunk_file(plan, chunk), {}, info)
    write_result(plan.paths.result, result)


def timed(*arguments: str) -> tuple[float, str]:
    start = time.monotonic()
    line = [sys.executable, "-m", "oodbench.run", *arguments]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    return time.monotonic() - start, done.stdout + done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("demo-data"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    register_all()
    with (
        tempfile.TemporaryDirectory() as output,
        initialize_config_module("oodbench.conf", version_base="1.3"),
    ):
        common = [
            f"data.root={options.data}",
            "data.allow_partial=true",
            "+model.weights.random_seed=0",
            f"output_root={output}",
        ]
        experiment = compose("config", ["experiment=published_table"], return_hydra_config=True)
        axes = (
            OmegaConf.to_container(experiment.hydra.sweeper.params) if "hydra" in experiment else {}
        )
        models, benchmarks = (str(axes[name]).split(",") for name in ("model", "benchmark"))
        for model in models:
            for benchmark in benchmarks:
                overrides = [f"model={model}", f"benchmark={benchmark}", *common]
                finish(make_plan(validate(compose("config", overrides))))
        n_jobs = len(models) * len(benchmarks)
        seconds, said = timed("experiment=published_table", *common)
        single, said_single = timed(f"model={models[0]}", f"benchmark={benchmarks[0]}", *common)
    rows = [
        row(
            "a skipped job of the 26 x 7 sweep",
            seconds / n_jobs,
            GOAL_A_JOB,
            f"{n_jobs} skipped" in said,
        ),
        row("a single skipped run", single, GOAL_SINGLE, "done already" in said_single),
    ]
    for entry in rows:
        print(
            "{work}: {ours:.3f} s, goal {theirs} s, ratio {ratio:.2f}, all skipped: {agree}".format(
                **entry
            )
        )
    if options.json:
        write_json(options.json, rows)


def row(work: str, ours: float, goal: float, agree: bool) -> dict[str, Any]:
    ratio = ours / goal
    return {"work": work, "ours": ours, "theirs": goal, "unit": "s", "ratio": ratio, "agree": agree}


if __name__ == "__main__":
    main()
