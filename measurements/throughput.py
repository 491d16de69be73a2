"""Pictures per second from JPEG files to top-1: oodbench against the usual loop of timm.

The usual loop is `create_transform`, `ImageFolder`, `DataLoader`, a forward pass under
`inference_mode`, as timm's validate.py has it; `theirs` is once batch 32 with the best of 0 to 2
workers, once the best of several batch sizes, worker counts and memory formats. Each side is a
process of its own that builds its model and warms up on a few pictures before the clock starts;
the sides take turns, and the best round of each counts. On both sides the clock runs from the first
file to the last prediction (here: until the result is written, with the parity gate). Predictions
are compared picture by picture. Peak memory is measured in a further round.

    python measurements/throughput.py --pictures /data/imagenet/val --json throughput.json
    python measurements/throughput.py --pictures /data/imagenet/val --model resnet50
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from peak_memory import PeakMemory

GOALS = {
    ("efficientnet_lite0", "auto", "off", "usual"): 5.5,
    ("efficientnet_lite0", "auto", "off", "tuned"): 3.1,
    ("efficientnet_lite0", "eager", "off", "usual"): 1.8,
    ("efficientnet_lite0", "auto", "disk", "usual"): 7.0,
    ("resnet50", "auto", "off", "usual"): 2.5,
}
MEMORY_GOAL = 1.2
USUAL_BATCH = 32
WARM_UP = 16


@dataclass(frozen=True)
class Loop:
    """A way to run the usual loop."""

    batch_size: int
    workers: int
    channels_last: bool = False

    def __str__(self) -> str:
        layout = ", channels_last" if self.channels_last else ""
        return f"batch {self.batch_size}, {self.workers} workers{layout}"


USUAL = [Loop(USUAL_BATCH, workers) for workers in (0, 1, 2)]
TUNED = [
    Loop(batch_size, workers, channels_last)
    for batch_size in (4, 8, 16)
    for workers in (0, 1, 2)
    for channels_last in (False, True)
]


def overrides(arguments: argparse.Namespace, output: Path) -> list[str]:
    """Of the command `oodbench` for what is measured."""
    chosen = [
        f"model={arguments.model}",
        "benchmark=imagenet",
        f"benchmark.root={arguments.pictures}",
        "data.allow_partial=true",
        "preprocessing=timm",
        f"engine={arguments.engine}",
        f"data.cache={arguments.cache}",
        f"data.cache_dir={arguments.scratch}/pictures",
        f"output_root={output}",
        *arguments.overrides,
    ]
    if arguments.model == "resnet50":
        chosen.append("model.weights={random_seed: 0}")
    return chosen


def ours(arguments: argparse.Namespace) -> dict[str, Any]:
    """oodbench's own path, from the plan on."""
    from hydra import compose, initialize_config_module

    from oodbench.core.schema import validate
    from oodbench.evaluation.execute import execute
    from oodbench.runs.plan import make_plan
    from oodbench.runs.records import read_split
    from oodbench.sweeps.composing import register_all

    register_all()
    with (
        initialize_config_module(version_base="1.3", config_module="oodbench.conf"),
        tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch,
    ):

        def run(name: str, limit: int) -> tuple[float, Any]:
            changed = [*overrides(arguments, Path(scratch, name)), f"limit={limit}"]
            plan = make_plan(validate(compose("config", overrides=changed)))
            clock = time.perf_counter()
            execute(plan)
            return time.perf_counter() - clock, plan

        warm_up, _ = run("warm_up", WARM_UP)
        seconds, plan = run("timed", arguments.count)
        records = read_split(plan.paths.records, "")
        (session,) = json.loads(plan.paths.info.read_text())["sessions"]
        found = dict(zip(records["image"], map(int, records["prediction"]), strict=True))
    return {
        "seconds": seconds,
        "predictions": found,
        "warm_up": warm_up,
        "how": f"{session['computed_by']}, batch {session['batch_size']}",
    }


def theirs(arguments: argparse.Namespace, loop: Loop) -> dict[str, Any]:
    """The usual loop on the same pictures, with the same network, weights and transform."""
    import torch
    from torch.utils.data import DataLoader, Subset
    from torchvision.datasets import ImageFolder

    from oodbench.models.build import build_classifier
    from oodbench.models.weights import find_weights
    from oodbench.sweeps.catalogue import load_model

    random = ["model.weights={random_seed: 0}"] if arguments.model == "resnet50" else []
    model = load_model(arguments.model, random)
    files = find_weights(model.name, model.weights, Path("weights"), download=False)
    network = build_classifier(model, weights_files=files).network.eval()
    if loop.channels_last:
        network = network.to(memory_format=torch.channels_last)
    folder = ImageFolder(str(arguments.pictures), timm_transform(model))
    wanted = json.loads(Path(arguments.images).read_text())
    positions = {
        str(Path(path).relative_to(arguments.pictures)): number
        for number, (path, _) in enumerate(folder.samples)
    }
    subset = Subset(folder, [positions[image] for image in wanted])
    loader = DataLoader(subset, batch_size=loop.batch_size, num_workers=loop.workers)

    def predictions(batches: Any) -> list[int]:
        found: list[int] = []
        with torch.inference_mode():
            for images, _ in batches:
                if loop.channels_last:
                    images = images.contiguous(memory_format=torch.channels_last)
                found += network(images).argmax(1).tolist()
        return found

    predictions([(torch.rand(loop.batch_size, 3, model.input_size, model.input_size), None)])
    clock = time.perf_counter()
    found = predictions(loader)
    seconds = time.perf_counter() - clock
    return {
        "seconds": seconds,
        "predictions": dict(zip(wanted, found, strict=True)),
        "how": str(loop),
    }


def timm_transform(model: Any) -> Any:
    """What timm's validate.py does to a picture, given the `model` node of the config."""
    from timm.data import create_transform

    return create_transform(
        (3, model.input_size, model.input_size),
        interpolation=model.interpolation,
        mean=tuple(model.mean),
        std=tuple(model.std),
        crop_pct=model.crop_pct,
    )


def parts(arguments: argparse.Namespace) -> dict[str, Any]:
    """Each part of ours alone, pictures per second: loading without network, and the reverse.

    `openvino` is that library's own loop: its throughput hint, as many requests as it wants, the
    same network and pixels, results thrown away.
    """
    from hydra import compose, initialize_config_module

    from oodbench.core.schema import validate
    from oodbench.evaluation.assemble import setting_of
    from oodbench.evaluation.loading import Task
    from oodbench.evaluation.reader import Reader, Reading
    from oodbench.runs.chunks import missing_chunks
    from oodbench.runs.plan import make_plan
    from oodbench.sweeps.composing import register_all

    register_all()
    with initialize_config_module(version_base="1.3", config_module="oodbench.conf"):
        changed = overrides(arguments, Path(arguments.scratch, "parts"))
        plan = make_plan(validate(compose("config", overrides=changed)))
    (split,) = plan.splits
    items = split.list_items()[: arguments.count]
    tasks = (Task(split, position, item) for position, item in enumerate(items))
    read = Reader(Reading(plan.run, plan.document, plan.counts), plan.benchmark)
    setting = setting_of(plan, read, list(missing_chunks(plan)))
    loader = setting.loader
    clock = time.perf_counter()
    pixels = np.concatenate([loaded.pixels.copy() for loaded in loader.loaded(tasks, 32)])
    loading = len(items) / (time.perf_counter() - clock)
    forward = setting.prepare(pixels[:8])
    batches = [
        pixels[start : start + setting.batch_size]
        for start in range(0, len(pixels), setting.batch_size)
    ]
    rates = {
        "loading": loading,
        "network": best_rate(lambda: through(forward, batches), len(pixels)),
    }
    if forward.name == "openvino":
        rates["openvino"] = best_rate(openvino_loop(setting.classifier, pixels), len(pixels))
    return rates


def through(forward: Any, batches: Sequence[Any]) -> None:
    """All batches, as many in flight as the engine has use for."""
    in_flight: deque[Any] = deque()
    for batch in batches:
        if len(in_flight) >= forward.depth:
            in_flight.popleft().result()
        in_flight.append(forward.start(batch))
    while in_flight:
        in_flight.popleft().result()


def openvino_loop(classifier: Any, pixels: Any) -> Callable[[], None]:
    """What the library's own benchmark does: float32 input that is there already."""
    import openvino
    import torch

    images = (pixels[:64].transpose(0, 3, 1, 2) / np.float32(255)).astype(np.float32)
    model = openvino.convert_model(classifier, example_input=torch.from_numpy(images[:1]))
    model.reshape([1, *images.shape[1:]])
    hints = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    queue = openvino.AsyncInferQueue(openvino.compile_model(model, "CPU", hints))

    def loop() -> None:
        for number in range(len(pixels)):
            queue.start_async(images[number % len(images)][None])
        queue.wait_all()

    return loop


def best_rate(work: Callable[[], None], n: int, rounds: int = 3) -> float:
    """Pictures per second, the best round."""
    seconds = []
    for _ in range(rounds):
        clock = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - clock)
    return n / min(seconds)


def in_process(
    arguments: argparse.Namespace, side: str, loop: Loop | None = None, *, memory: bool = False
) -> dict[str, Any]:
    """One side in a process of its own, where `memory` with its peak, GiB."""
    given = vars(arguments) | {"side": side, "loop": asdict(loop) if loop else None}
    command = [sys.executable, __file__, "--child", json.dumps(given, default=str)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with PeakMemory(process.pid, enabled=memory) as peak:
        output, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{side} failed ({loop})")
    return {**json.loads(output.splitlines()[-1]), "memory": peak.gib}


def loop_arguments(model: str, pictures: Path, images: Path, scratch: Path) -> argparse.Namespace:
    """What the usual loop needs to know.

    Args:
        images: JSON list of the pictures to take, paths below `pictures`.
    """
    return argparse.Namespace(model=model, pictures=pictures, images=images, scratch=scratch)


def child(given: dict[str, Any]) -> None:
    """What a process of `in_process` does."""
    arguments = argparse.Namespace(**given)
    arguments.pictures = Path(arguments.pictures)
    if arguments.side == "theirs":
        found = theirs(arguments, Loop(**arguments.loop))
    else:
        found = {"ours": ours, "parts": parts}[arguments.side](arguments)
    print(json.dumps(found))


def fastest(
    arguments: argparse.Namespace, loops: Sequence[Loop], mine: list[dict[str, Any]]
) -> dict[str, Any]:
    """The best round of the best of the loops; between rounds, ours gets its turn."""
    first = min((in_process(arguments, "theirs", loop) for loop in loops), key=seconds_of)
    loop = next(loop for loop in loops if str(loop) == first["how"])
    found = [first]
    for _ in range(arguments.rounds - 1):
        mine.append(in_process(arguments, "ours"))
        found.append(in_process(arguments, "theirs", loop))
    best = min(found, key=seconds_of)
    best["memory"] = in_process(arguments, "theirs", loop, memory=True)["memory"]
    return best


def seconds_of(found: dict[str, Any]) -> float:
    seconds: float = found["seconds"]
    return seconds


def row(arguments: argparse.Namespace, against: str, mine: Any, other: Any) -> dict[str, Any]:
    """A line of the table."""
    n = len(mine["predictions"])
    cache = "" if arguments.cache == "off" else f", {arguments.cache} cache"
    goal = GOALS.get((arguments.model, arguments.engine, arguments.cache, against))
    return {
        "work": f"{arguments.model}, engine {arguments.engine}{cache}, {n} pictures, against the "
        f"{against} loop ({other['how']})",
        "ours": round(n / mine["seconds"], 1),
        "theirs": round(n / other["seconds"], 1),
        "unit": "pictures/s",
        "ratio": round(other["seconds"] / mine["seconds"], 2),
        "agree": mine["predictions"] == other["predictions"],
        "goal": goal,
    }


def memory_row(arguments: argparse.Namespace, mine: float, other: float) -> dict[str, Any]:
    """Peak of the summed proportional set sizes; the ratio is how much less ours takes."""
    return {
        "work": f"{arguments.model}, engine {arguments.engine}: peak memory, usual loop",
        "ours": round(mine, 2),
        "theirs": round(other, 2),
        "unit": "GiB",
        "ratio": round(other / mine, 2),
        "agree": mine <= MEMORY_GOAL * other,
        "goal": round(1 / MEMORY_GOAL, 2),
    }


def part_rows(rates: dict[str, float], whole: float) -> list[dict[str, Any]]:
    """The parts, and the bound: loading and network share the same cores without a gap."""
    bound = 1 / (1 / rates["loading"] + 1 / rates["network"])
    pairs = [("of the bound (loading and network, perfect overlap)", whole, bound, 0.85)]
    if "openvino" in rates:
        pairs.append(
            (
                "network alone, against OpenVINO's own loop",
                rates["network"],
                rates["openvino"],
                0.95,
            )
        )
    pairs.append(("network alone, against loading alone", rates["network"], rates["loading"], None))
    return [
        {
            "work": work,
            "ours": round(mine, 1),
            "theirs": round(other, 1),
            "unit": "pictures/s",
            "ratio": round(mine / other, 2),
            "agree": True,
            "goal": goal,
        }
        for work, mine, other, goal in pairs
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--cache", default="off", help="off, memory or disk, warm")
    parser.add_argument("--count", type=int, default=500, help="pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tuned", action="store_true", help="also against the tuned loop")
    parser.add_argument("--json", type=Path)
    parser.add_argument("overrides", nargs="*", help="further ones for oodbench")
    arguments = parser.parse_args()
    arguments.pictures = arguments.pictures.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        arguments.scratch = scratch
        rows = measured(arguments)
    for line in rows:
        goal = f" (goal {line['goal']})" if line["goal"] else ""
        print(
            f"{line['work']}: {line['ours']} against {line['theirs']} {line['unit']}, "
            f"ratio {line['ratio']}{goal}, agree {line['agree']}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


def measured(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """All lines."""
    mine = [in_process(arguments, "ours")]
    images = Path(arguments.scratch, "images.json")
    images.write_text(json.dumps(list(mine[0]["predictions"])))
    arguments.images = images
    others = {"usual": fastest(arguments, USUAL, mine)}
    if arguments.tuned:
        others["tuned"] = fastest(arguments, TUNED, mine)
    best = min(mine, key=seconds_of)
    rows = [row(arguments, against, best, other) for against, other in others.items()]
    memory = in_process(arguments, "ours", memory=True)["memory"]
    rows.append(memory_row(arguments, memory, others["usual"]["memory"]))
    rates = in_process(arguments, "parts")
    return rows + part_rows(rates, len(best["predictions"]) / best["seconds"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(json.loads(sys.argv[2]))
    else:
        main()
