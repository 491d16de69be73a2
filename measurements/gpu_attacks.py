"""Attacks on a device against torchattacks, and the memory of an attack on the largest network."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

import timm
import torch
import torchattacks
from attack_memory import efficientnet_l2, with_random_weights
from attacks import (
    EPS,
    ITERATIONS,
    STEP,
    Pictures,
    compared,
    load_model,
    load_pictures,
    predictions,
    with_torchattacks,
)
from gpu_common import Job, Row, rounded, row
from pass_counts import Counted, counting
from torch import Tensor, nn

from oodbench.attacks.autoattack import AutoAttack
from oodbench.attacks.base import Attack, AttackResult
from oodbench.attacks.base import attacked as called
from oodbench.attacks.network_access import MOST_ON_CUDA
from oodbench.attacks.pgd import PGD
from oodbench.attacks.pgd_targeted import TargetedPGD
from oodbench.engines.pytorch import set_precision
from oodbench.engines.settings import REFILLED
from oodbench.models.device_memory import peak_of
from oodbench.models.folded.activation import BiasAndActivation, with_fused_activations
from oodbench.models.folded.batch_norm import fold_batch_norm
from oodbench.models.folded.networks import CUDA_TOLERANCE

LITE0 = ("model=efficientnet_lite0",)
RESNET50 = ("model=resnet50", "model.weights={random_seed: 0}")
AUTOATTACK_EPS = 4 / 255
AUTOATTACK_STEPS = 10
"""Of the first three attacks: torchattacks' own."""

MEMORY_GOAL = 40e9
"""Bytes: the memory of the card on which the largest network is to be attacked."""

_Made = TypeVar("_Made")


def published(job: Job) -> Iterator[Row]:
    """The published attack, which stops at the first success; then all steps, whatever happens."""
    stopping = TargetedPGD(eps=EPS, step_size=STEP, iterations=ITERATIONS)
    yield pgd_row(job, LITE0, stopping, "published attack on efficientnet_lite0", 3.0)
    fixed = PGD(
        name="pgd_linf",
        eps=EPS,
        step_size=STEP,
        iterations=ITERATIONS,
        target="random",
        early_stop=False,
    )
    resnet = job.pick(RESNET50, LITE0)
    yield pgd_row(job, resnet, fixed, f"{ITERATIONS} steps of PGD on {name_of(resnet)}", 1.2)


def pgd_row(job: Job, model: tuple[str, ...], attack: Attack, what: str, goal: float) -> Row:
    """Against torchattacks' PGD with the same targets, at its best batch size."""
    classifier, pictures = attacked(job, model, job.pick(REFILLED * MOST_ON_CUDA, 4))
    clean = logits_of(classifier, pictures.images)  # of the run: the peer needs none either
    result = of(attack, classifier, pictures, clean)
    targets = result.columns["target"]

    def peer(batch: int, shown: Pictures = pictures) -> Tensor:
        return with_torchattacks(classifier, shown, batch, targets[: len(shown.images)], EPS)

    def trial(batch: int) -> float:
        """Seconds, once cuDNN has planned its convolutions for batches of this size."""
        peer(batch, Pictures(pictures.images[:batch], pictures.labels[:batch]))
        return timed(job, lambda: peer(batch))[0]

    batches = job.pick((64, 256), (4,))
    trials = {batch: trial(batch) for batch in batches}
    best = min(batches, key=trials.__getitem__)
    ours, theirs, judging = [], [], []
    for _ in range(job.pick(2, 1)):
        with counting() as our_counts:
            ours.append(timed(job, lambda: of(attack, classifier, pictures, clean))[0])
        with counting() as their_counts:
            seconds, made = timed(job, lambda: peer(best))
        theirs.append(seconds)
        judging.append(timed(job, partial(predicted, classifier, made, best))[0])
    agree, text = compared(result.succeeded, predictions(classifier, made) == targets)
    count = len(pictures.images)
    return row(
        job,
        f"{what}, {count} pictures, torchattacks PGD at batch {best}; {text}",
        statistics.median(ours) / count * 1000,
        statistics.median(theirs) / count * 1000,
        "ms a picture",
        agree=agree,
        goal=goal,
        higher_is_better=False,
        iterations=result.iterations.double().mean().item(),
        ratio_with_judging=rounded(
            (statistics.median(theirs) + statistics.median(judging)) / statistics.median(ours)
        ),
        **counted(our_counts, their_counts),
    )


def counted(ours: Counted, theirs: Counted) -> Row:
    """What a row's ratio would be if all pictures of all passes took as long as each other."""
    return {
        **ours.columns("our"),
        **theirs.columns("their"),
        "ratio_of_pictures": rounded(theirs.pictures / ours.pictures),
    }


def predicted(classifier: nn.Module, images: Tensor, batch: int) -> Tensor:
    """Which success is judged by: torchattacks' PGD leaves that to its user, ours says it."""
    return logits_of(classifier, images, batch).argmax(1)


def autoattack(job: Job) -> Iterator[Row]:
    """The four attacks of AutoAttack."""
    for model in job.pick((LITE0, RESNET50), (LITE0,)):
        yield autoattack_row(job, model, job.pick(64, 2))


def autoattack_row(job: Job, model: tuple[str, ...], count: int) -> Row:
    """With as many steps and queries on both sides; of the accuracy one picture may differ."""
    queries = job.pick(1000, 2)
    steps, targets = job.pick((AUTOATTACK_STEPS, 9), (1, 1))
    classifier, pictures = attacked(job, model, count)
    attack = AutoAttack(
        name="autoattack",
        eps=AUTOATTACK_EPS,
        iterations=steps,
        targets=targets,
        queries=queries,
    )
    peer = torchattacks.AutoAttack(classifier, eps=AUTOATTACK_EPS, n_classes=targets + 1)
    *searching, square = peer._autoattack.attacks
    for part in searching:
        part.steps = steps
    square.n_queries = queries
    # Each twice, because cuDNN plans convolutions the first time.
    of(attack, classifier, pictures)
    with counting() as our_counts:
        seconds, result = timed(job, lambda: of(attack, classifier, pictures))
    peer(pictures.images, pictures.labels)
    with counting() as their_counts:
        peer_seconds, made = timed(job, lambda: peer(pictures.images, pictures.labels))
    ours = int((~result.succeeded).sum())
    theirs = int((predictions(classifier, made) == pictures.labels).sum())
    return row(
        job,
        f"AutoAttack on {name_of(model)}, {count} pictures, {steps} steps, {queries} queries; "
        f"{ours} and {theirs} resist",
        *(seconds / count, peer_seconds / count, "s a picture"),
        agree=abs(ours - theirs) <= 1,
        goal=2.0,
        higher_is_better=False,
        **counted(our_counts, their_counts),
    )


def steps(job: Job) -> Iterator[Row]:
    """A gradient step in both layouts and with fused activations, and how long the first one with
    a batch size takes."""
    sizes = job.pick((MOST_ON_CUDA, MOST_ON_CUDA // 4, MOST_ON_CUDA // 16), (2, 1))
    for model in job.pick((LITE0, RESNET50), (LITE0,)):
        classifier, pictures = attacked(job, model, sizes[0])
        found = {}
        for layout in (torch.contiguous_format, torch.channels_last):
            network = fold_batch_norm(classifier, pictures.images[:1], layout)
            assert network is not None
            found[layout] = [step_times(job, network, pictures.images[:size]) for size in sizes]
            if layout == torch.contiguous_format:
                yield fused_row(job, model, network, pictures.images, found[layout][0][1])
        first, last = found.values()
        yield row(
            job,
            f"gradient step on {name_of(model)}, fp32, {sizes[0]} pictures, channels first against "
            "channels last",
            *(first[0][1] * 1000, last[0][1] * 1000, "ms"),
            higher_is_better=False,
            sizes=sizes,
            first_step_seconds=[[times[0] for times in each] for each in (first, last)],
            later_step_seconds=[[times[1] for times in each] for each in (first, last)],
        )


def fused_row(
    job: Job, model: tuple[str, ...], folded: nn.Module, images: Tensor, seconds: float
) -> Row:
    """A step in which biases and activations take one pass, against one of so many seconds in
    which they take two; on a processor, which has no kernel for it, both take two."""
    fused = with_fused_activations(folded, images[:1])
    layers = [m for m in fused.modules() if isinstance(m, BiasAndActivation)] if fused else []
    network = fused or folded
    farthest = float((logits_of(network, images) - logits_of(folded, images)).abs().max())
    return row(
        job,
        f"gradient step on {name_of(model)}, fp32, {len(images)} pictures, bias and activation in "
        f"one pass against two, in {len(layers)} layers",
        *(step_times(job, network, images)[1] * 1000, seconds * 1000, "ms"),
        agree=farthest <= CUDA_TOLERANCE,
        higher_is_better=False,
        largest_difference_of_a_logit=farthest,
    )


def step_times(job: Job, network: nn.Module, images: Tensor) -> tuple[float, float]:
    """Seconds of the first step with such a batch, and of a later one."""

    def step() -> None:
        leaves = images.detach().requires_grad_()
        torch.autograd.grad(network(leaves).sum(), leaves)

    times = [timed(job, step)[0] for _ in range(job.pick(8, 2))]
    return times[0], statistics.median(times[1:])


def largest(job: Job) -> Iterator[Row]:
    """The published attack on EfficientNet-L2, with as much free memory as a card of 40 GB has."""
    count, side = job.pick((8, 800), (2, 64))
    network = with_random_weights(job.pick(efficientnet_l2, small_network)).to(job.device)
    weights = sum(parameter.nbytes for parameter in network.parameters())
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, 3, side, side, generator=generator).to(job.device)
    labels = torch.zeros(count, dtype=torch.int64, device=job.device)
    attack = TargetedPGD(eps=EPS, step_size=STEP, iterations=ITERATIONS, memory="auto")
    held = ballast(job, MEMORY_GOAL - weights)
    clock = time.perf_counter()

    def run() -> None:
        attack(network, images, labels, list(range(count)))
        job.synchronise()

    peak = weights + peak_of(run, torch.device(job.device))
    seconds = (time.perf_counter() - clock) / count
    del held
    yield row(
        job,
        f"published attack at {side} pixels with attack.memory=auto: peak, of a card of 40 GB",
        *(peak / 1e9, MEMORY_GOAL / 1e9, "GB"),
        agree=peak <= MEMORY_GOAL,
        goal=1.0,
        higher_is_better=False,
        seconds_a_picture=seconds,
    )


def small_network() -> nn.Module:
    network: nn.Module = timm.create_model("tf_efficientnet_lite0")
    return network


def ballast(job: Job, left: float) -> Tensor | None:
    """Memory that is held, so that so many bytes are left of the card."""
    if not job.on_cuda:
        return None
    free, _ = torch.cuda.mem_get_info(job.device)
    return torch.empty(max(0, int(free - left)), dtype=torch.uint8, device=job.device)


def attacked(job: Job, model: tuple[str, ...], count: int) -> tuple[nn.Module, Pictures]:
    """A network on the device, in float32, and pictures with its own predictions as labels."""
    set_precision("fp32", torch.device(job.device).type)
    classifier, transform = load_model(*model)
    pictures = load_pictures(job.pictures, min(count, 100), transform, classifier)
    classifier.to(job.device)
    places = torch.arange(count) % len(pictures.images)
    images = pictures.images[places].to(job.device)
    return classifier, replace(pictures, images=images, labels=predictions(classifier, images))


def name_of(model: tuple[str, ...]) -> str:
    return model[0].partition("=")[2]


def of(
    attack: Attack, classifier: nn.Module, pictures: Pictures, clean: Tensor | None = None
) -> AttackResult:
    """What an attack makes of pictures, of which it may know the clean logits."""
    return called(attack, classifier, pictures.images, pictures.labels, pictures.seeds, clean)


def logits_of(classifier: nn.Module, images: Tensor, batch: int = MOST_ON_CUDA) -> Tensor:
    with torch.no_grad():
        return torch.cat([classifier(part) for part in images.split(batch)])


def timed(job: Job, function: Callable[[], _Made]) -> tuple[float, _Made]:
    """Seconds until the device is done, and what the function returns."""
    job.synchronise()
    clock = time.perf_counter()
    made = function()
    job.synchronise()
    return time.perf_counter() - clock, made
