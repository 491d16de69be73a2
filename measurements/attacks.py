"""The gradient attacks against torchattacks and a loop of one picture at a time.

efficientnet_lite0 with its own weights on real pictures, as both sides get them: parameters without
gradients, evaluation mode. All ways take turns, and every figure is the median of the repetitions.

    python measurements/attacks.py --data /data/imagenet/val --json attacks.json
    python measurements/attacks.py --data /data/imagenet/val --compare --count 100 --threads 1
"""

import argparse
import logging
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchattacks
from attack_strength import paired_difference, strengths
from hydra import compose, initialize_config_module
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from oodbench.attacks.base import AttackResult, generator_of
from oodbench.attacks.network_access import CPU_MICRO_BATCH
from oodbench.attacks.pgd import PGD
from oodbench.attacks.pgd_targeted import TargetedPGD
from oodbench.core.building import build
from oodbench.core.files import write_json
from oodbench.core.schema import validate
from oodbench.models.build import build_classifier
from oodbench.models.folded.networks import FoldedNetworks
from oodbench.models.weights import find_weights
from oodbench.sweeps.composing import register_all

EPS, STEP, ITERATIONS = 0.06, 2 / 255, 10
UNTARGETED_EPS = 8 / 255
PEER_BATCH = 32
PEER_BATCHES = (4, 8, 16, 32)


@dataclass(frozen=True)
class Pictures:
    images: Tensor
    labels: Tensor

    @property
    def seeds(self) -> list[int]:
        return list(range(len(self.images)))


def load_model(*overrides: str) -> tuple[nn.Module, Any]:
    """A shipped model, and the transform of preprocessing=timm."""
    with initialize_config_module("oodbench.conf", version_base="1.3"):
        run = validate(compose("config", [*overrides, "preprocessing=timm"]))
    files = find_weights(run.model.name, run.model.weights, Path("weights"), download=False)
    classifier = build_classifier(run.model, weights_files=files)
    return classifier, build(run.preprocessing, "preprocessing")


def load_pictures(data: Path, count: int, transform: Any, classifier: nn.Module) -> Pictures:
    """One of every class folder in turn; labels are the clean predictions."""
    folders = sorted(path for path in data.iterdir() if path.is_dir())
    chosen = [sorted(folder.iterdir())[0] for folder in folders[:: max(1, len(folders) // count)]]
    pixels = [transform(Image.open(path).convert("RGB")) for path in chosen[:count]]
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous().float().div_(255)
    with torch.no_grad():
        labels = torch.cat([classifier(part).argmax(1) for part in images.split(CPU_MICRO_BATCH)])
    return Pictures(images, labels)


def with_torchattacks(
    classifier: nn.Module,
    pictures: Pictures,
    batch: int,
    targets: Tensor | None,
    eps: float,
) -> Tensor:
    """Adversarial pictures of torchattacks' PGD."""
    attack = torchattacks.PGD(classifier, eps=eps, alpha=STEP, steps=ITERATIONS, random_start=True)
    if targets is not None:
        attack.set_mode_targeted_by_label(quiet=True)
    wanted = pictures.labels if targets is None else targets
    parts = zip(pictures.images.split(batch), wanted.split(batch), strict=True)
    return torch.cat([attack(images, classes) for images, classes in parts])


def one_at_a_time(classifier: nn.Module, pictures: Pictures, targets: Tensor) -> AttackResult:
    """foolbox 1.8.0's RandomStartPGD: pictures as arrays, and gradient and prediction apart.

    Its PyTorchModel calls `loss.backward()`, which computes the parameters' gradients too, and
    predicts with a graph.
    """
    classifier.requires_grad_()

    def predict(image: np.ndarray[Any, Any]) -> int:
        return int(classifier(torch.from_numpy(image)[None]).detach().numpy().argmax())

    def gradient(image: np.ndarray[Any, Any], target: int) -> np.ndarray[Any, Any]:
        leaf = torch.from_numpy(image)[None].requires_grad_()
        functional.cross_entropy(classifier(leaf), torch.tensor([target])).backward()
        assert leaf.grad is not None
        return leaf.grad[0].numpy()

    images, succeeded, iterations = pictures.images.clone(), [], []
    for position, clean in enumerate(pictures.images.numpy()):
        target, generator = int(targets[position]), generator_of(position)
        torch.randint(999, (), generator=generator)  # the target
        noise = torch.empty(clean.shape, dtype=torch.float64).uniform_(
            -EPS, EPS, generator=generator
        )
        hit, taken = predict(clean) == target, 0
        image = (clean + noise.numpy()).astype(np.float32)
        while not hit and taken < ITERATIONS:
            image = image - np.float32(STEP) * np.sign(gradient(image, target))
            image = clean + np.clip(image - clean, -np.float32(EPS), np.float32(EPS))
            image = np.clip(image, 0, 1)
            hit, taken = predict(image) == target, taken + 1
            if hit:
                images[position] = torch.from_numpy(image)
        succeeded.append(hit)
        iterations.append(taken)
    classifier.requires_grad_(False)
    for parameter in classifier.parameters():
        parameter.grad = None
    return AttackResult(images, torch.tensor(succeeded), torch.tensor(iterations))


def clock() -> float:
    """Seconds; of the processor where one thread is used, which other work does not lengthen."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def take_turns(
    ways: dict[str, Callable[[], Any]], repetitions: int
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Seconds of every way in every repetition, and what it made."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    made: dict[str, Any] = {}
    for _ in range(repetitions):
        for name, way in ways.items():
            start = clock()
            made[name] = way()
            seconds[name].append(clock() - start)
    return seconds, made


def compared(ours: Tensor, theirs: Tensor) -> tuple[bool, str]:
    """Whether ours is no weaker by the 95 % interval of the paired difference, and the figures."""
    low, high = paired_difference(ours, theirs)
    text = f"success {ours.float().mean():.3f} and {theirs.float().mean():.3f}"
    return high >= 0, f"{text}, difference {low:+.3f} to {high:+.3f}"


def row(
    work: str, ours: list[float], theirs: list[float], count: int, agree: bool, goal: float | None
) -> dict[str, Any]:
    """Milliseconds per picture; the ratio is the median over repetitions, theirs over ours."""
    ratios = [theirs_ / ours_ for ours_, theirs_ in zip(ours, theirs, strict=True)]
    return {
        "work": work,
        "ours": statistics.median(ours) / count * 1000,
        "theirs": statistics.median(theirs) / count * 1000,
        "unit": "ms",
        "ratio": statistics.median(ratios),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "goal": goal,
        "agree": agree,
    }


def predictions(classifier: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([classifier(part).argmax(1) for part in images.split(CPU_MICRO_BATCH)])


def best_batch(classifier: nn.Module, pictures: Pictures) -> int:
    """Of torchattacks, whose time is that of its gradient steps."""
    images = pictures.images[:PEER_BATCH]

    def pass_over(batch: int) -> Callable[[], Any]:
        return lambda: [step(classifier, part) for part in images.split(batch)]

    ways = {str(batch): pass_over(batch) for batch in PEER_BATCHES}
    take_turns(ways, 1)
    seconds, _ = take_turns(ways, 3)
    return min(PEER_BATCHES, key=lambda batch: statistics.median(seconds[str(batch)]))


def targeted(
    classifier: nn.Module, pictures: Pictures, micro_batch: int, best: int, repetitions: int
) -> Iterator[dict[str, Any]]:
    """The published attack against torchattacks and against foolbox 1.8's way."""
    count = len(pictures.images)
    attack = TargetedPGD(eps=EPS, step_size=STEP, iterations=ITERATIONS, micro_batch=micro_batch)

    def ours() -> AttackResult:
        return attack(classifier, pictures.images, pictures.labels, pictures.seeds)

    targets = ours().columns["target"]

    def peer(batch: int) -> Callable[[], Tensor]:
        return lambda: with_torchattacks(classifier, pictures, batch, targets, EPS)

    ways: dict[str, Callable[[], Any]] = {
        "ours": ours,
        "usual": peer(PEER_BATCH),
        "best": peer(best),
        "single": lambda: one_at_a_time(classifier, pictures, targets),
    }
    seconds, made = take_turns(ways, repetitions)
    result: AttackResult = made["ours"]
    start = f"published targeted attack ({result.iterations.float().mean():.2f} iterations)"
    for name, batch, goal in (("usual", f"{PEER_BATCH}", 5.0), ("best", f"{best}, its best", 2.5)):
        hit = predictions(classifier, made[name]) == targets
        agree, text = compared(result.succeeded, hit)
        work = f"{start}, torchattacks PGD at batch {batch}; {text}"
        yield row(work, seconds["ours"], seconds[name], count, agree, goal)
    same = (made["single"].succeeded == result.succeeded).float().mean().item()
    work = f"{start}, one picture at a time as foolbox 1.8; same success for {same:.1%}"
    yield row(work, seconds["ours"], seconds["single"], count, same >= 0.99, 10.0)


def untargeted(
    classifier: nn.Module, pictures: Pictures, micro_batch: int, best: int, repetitions: int
) -> dict[str, Any]:
    """pgd_linf as shipped against torchattacks PGD with the same arguments."""
    attack = PGD(
        name="pgd_linf",
        eps=UNTARGETED_EPS,
        step_size=STEP,
        iterations=ITERATIONS,
        micro_batch=micro_batch,
    )
    ways: dict[str, Callable[[], Any]] = {
        "ours": lambda: attack(classifier, pictures.images, pictures.labels, pictures.seeds),
        "best": lambda: with_torchattacks(classifier, pictures, best, None, UNTARGETED_EPS),
    }
    seconds, made = take_turns(ways, repetitions)
    wrong = predictions(classifier, made["best"]) != pictures.labels
    agree, text = compared(made["ours"].succeeded, wrong)
    work = f"pgd_linf, torchattacks PGD at batch {best}, its best; {text}"
    return row(work, seconds["ours"], seconds["best"], len(pictures.images), agree, 2.0)


def step(network: nn.Module, images: Tensor) -> Tensor:
    """The gradient of a loss with respect to the images."""
    leaves = images.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(network(leaves).logsumexp(1).sum(), leaves)
    return gradients


def steps(
    name: str, classifier: nn.Module, images: Tensor, micro_batch: int, repetitions: int
) -> dict[str, Any]:
    """A gradient step on our copy at our batch, and on the network itself at the peer's."""
    few, many = images[:micro_batch], images[:PEER_BATCH]
    folded = FoldedNetworks().of(classifier, few)
    ways = {
        "ours": lambda: [step(folded, few) for _ in range(PEER_BATCH // micro_batch)],
        "theirs": lambda: step(classifier, many),
    }
    take_turns(ways, 1)
    seconds, _ = take_turns(ways, repetitions)
    found, expected = step(folded, few), step(classifier, few)
    agree = functional.cosine_similarity(found.flatten(1), expected.flatten(1)).min() > 0.999
    work = f"{name}: a step, folded at batch {micro_batch} against plain at batch {PEER_BATCH}"
    return row(work, seconds["ours"], seconds["theirs"], PEER_BATCH, bool(agree), None)


def where_the_time_goes(
    classifier: nn.Module, pictures: Pictures, micro_batch: int
) -> list[tuple[str, float]]:
    """Shares of the operations in our targeted attack on a quarter of the pictures."""
    attack = TargetedPGD(eps=EPS, step_size=STEP, iterations=ITERATIONS, micro_batch=micro_batch)
    count = max(micro_batch, len(pictures.images) // 4)
    arguments = pictures.images[:count], pictures.labels[:count], pictures.seeds[:count]
    attack(classifier, *arguments)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        attack(classifier, *arguments)
    events = profiler.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    shares = [(event.key, event.self_cpu_time_total / total) for event in events]
    return sorted(shares, key=lambda share: -share[1])[:10]


def measured(
    classifier: nn.Module, pictures: Pictures, micro_batch: int, best: int, repetitions: int
) -> Iterator[dict[str, Any]]:
    yield from targeted(classifier, pictures, micro_batch, best, repetitions)
    yield untargeted(classifier, pictures, micro_batch, best, repetitions)
    yield steps("efficientnet_lite0", classifier, pictures.images, micro_batch, 2 * repetitions)
    resnet, _ = load_model("model=resnet50", "+model.weights.random_seed=0")
    yield steps("resnet50, random weights", resnet, pictures.images, micro_batch, repetitions)


def speed(
    classifier: nn.Module, pictures: Pictures, micro_batch: int, repetitions: int
) -> list[dict[str, Any]]:
    """Measure and print who is faster."""
    rows = []
    best = best_batch(classifier, pictures)
    for entry in measured(classifier, pictures, micro_batch, best, repetitions):
        rows.append(entry)
        goal = f", goal {entry['goal']}" if entry["goal"] else ""
        print(
            "{work}: {ours:.1f} ms per picture, theirs {theirs:.1f}, ratio {ratio:.2f} of {ratios}"
            "{aim}, agree: {agree}".format(**entry, aim=goal),
            flush=True,
        )
    for name, share in where_the_time_goes(classifier, pictures, micro_batch):
        print(f"{share:6.1%} {name}")
    return rows


def strength(classifier: nn.Module, pictures: Pictures, micro_batch: int) -> list[dict[str, Any]]:
    """Find out and print who is stronger."""
    rows = []
    for entry in strengths(classifier, pictures.images, pictures.labels, micro_batch):
        rows.append(entry)
        low, high = entry["difference"]
        print(
            "{work}: {ours:.1f} {unit}, theirs {theirs:.1f}, difference {low:+.3f} to {high:+.3f}, "
            "same for {same:.0%}, agree: {agree}".format(**entry, low=low, high=high),
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="class folders of pictures")
    parser.add_argument("--count", type=int, default=96)
    parser.add_argument(
        "--compare", action="store_true", help="not the time: who is fooled by either side's attack"
    )
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, help="1 where other work shares the processor")
    parser.add_argument(
        "--micro-batch",
        type=int,
        default=CPU_MICRO_BATCH,
        help="of ours; with one thread 16, below which PyTorch computes 1x1 convolutions slowly",
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    logging.basicConfig(level=logging.INFO)
    register_all()
    classifier, transform = load_model("model=efficientnet_lite0")
    pictures = load_pictures(options.data, options.count, transform, classifier)
    if options.compare:
        rows = strength(classifier, pictures, options.micro_batch)
    else:
        rows = speed(classifier, pictures, options.micro_batch, options.repetitions)
    if options.json:
        write_json(options.json, rows)


if __name__ == "__main__":
    main()
