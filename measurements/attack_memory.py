"""Peak memory of attacks on large networks, each in a process of its own. Linux.

Weights are random and exist once: the network is built on the meta device and filled. glibc is told
to give freed memory back (MALLOC_*), as a user can; `--default-malloc` shows what that is worth.

    python measurements/attack_memory.py --json attack_memory.json
    python measurements/attack_memory.py --only l2_whole --json l2.json  # 10 iterations, 30 min
"""

import argparse
import json
import logging
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import timm
import torch
from torch import Tensor, nn
from torchvision.models import ResNet, resnet50
from torchvision.models.resnet import Bottleneck

from oodbench.attacks.apgd import APGD
from oodbench.attacks.base import Attack
from oodbench.attacks.memory import MemoryPlan
from oodbench.attacks.network_access import frozen
from oodbench.attacks.pgd import PGD
from oodbench.attacks.pgd_targeted import TargetedPGD
from oodbench.core.files import GIB, write_json

GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
EPS, STEP, ITERATIONS = 0.06, 2 / 255, 10
BATCH = 64
BUDGET = 3.0

Figures = dict[str, float]


class Normalised(nn.Module):
    """A network of normalised pictures as an attack sees it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network((images - 0.45) / 0.225)
        return logits


@dataclass(frozen=True)
class Case:
    """A measurement in a process of its own.

    Attributes:
        build: the network, to be called within the meta device.
        goal: GiB that the peak may reach.
        run: what is measured, given the network; its own figures.
        beside_the_model: the peak counts above what is resident once the network is built.
        by_default: without `--only`.
    """

    build: Callable[[], nn.Module]
    goal: float
    run: Callable[[nn.Module], Figures]
    beside_the_model: bool = False
    by_default: bool = True


def efficientnet_l2() -> nn.Module:
    network: nn.Module = timm.create_model("tf_efficientnet_l2")
    return network


def resnext101_32x48d() -> nn.Module:
    network: nn.Module = ResNet(Bottleneck, [3, 4, 23, 3], groups=32, width_per_group=48)
    return network


def gradient_step(side: int) -> Callable[[nn.Module], Figures]:
    """One gradient of one picture, as an attack that has chosen checkpointing computes it."""

    def run(network: nn.Module) -> Figures:
        images = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
        with frozen(network), MemoryPlan(1, frugal=True).applied(network):
            leaves = images.requires_grad_()
            logits = network(leaves)
            (gradient,) = torch.autograd.grad(logits.logsumexp(1).sum(), leaves)
        return {"largest_gradient": float(gradient.abs().max())}

    return run


def whole_attack(side: int, budget: float) -> Callable[[nn.Module], Figures]:
    """All iterations of the published attack on one picture."""

    def run(network: nn.Module) -> Figures:
        attack = TargetedPGD(eps=EPS, step_size=STEP, iterations=ITERATIONS, memory=budget)
        images = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
        result = attack(network, images, torch.zeros(1, dtype=torch.int64), [0])
        return {"iterations": float(result.iterations[0])}

    return run


def pgd() -> Attack:
    """Three steps whatever happens."""
    return PGD(
        name="pgd_linf",
        eps=EPS,
        step_size=STEP,
        iterations=3,
        early_stop=False,
        micro_batch=BATCH,
        memory=BUDGET,
    )


def apgd() -> Attack:
    """Two steps of a radius too small to succeed."""
    return APGD(name="apgd_ce", eps=1e-6, iterations=2, micro_batch=BATCH, memory=BUDGET)


def batch_within_budget(make: Callable[[], Attack], network: nn.Module) -> Figures:
    """A few steps on a batch that would not fit at once."""
    attack = make()
    images = torch.rand(BATCH, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        labels = torch.cat([network(part).argmax(1) for part in images.split(4)])
    result = attack(network, images, labels, list(range(BATCH)))
    return {"pictures": float(len(result.images)), "iterations": float(result.iterations.max())}


CASES = {
    "l2_step": Case(efficientnet_l2, 4.2, gradient_step(800)),
    "resnext_step": Case(resnext101_32x48d, 5.0, gradient_step(224)),
    "resnet50_budget": Case(
        resnet50, BUDGET, partial(batch_within_budget, pgd), beside_the_model=True
    ),
    "resnet50_apgd": Case(
        resnet50, BUDGET, partial(batch_within_budget, apgd), beside_the_model=True
    ),
    "l2_whole": Case(efficientnet_l2, 4.2, whole_attack(800, 2.0), by_default=False),
}


def with_random_weights(build: Callable[[], nn.Module]) -> nn.Module:
    """Filled in place, so that activations do not overflow; BatchNorm changes nothing."""
    with torch.device("meta"):
        network = build()
    network.to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(False)
        if parameter.ndim > 1:
            bound = math.sqrt(3 / parameter[0].numel())
            parameter.uniform_(-bound, bound, generator=generator)
        else:
            parameter.fill_(float(name.endswith("weight")))
    for name, buffer in network.named_buffers():
        buffer.fill_(float(name.endswith("running_var")))
    return Normalised(network)


def from_status(field: str) -> float:
    """GiB of this process: VmHWM, the peak, or VmRSS."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(field + ":")]
    return int(line.split()[1]) * 1024 / GIB


def measure_here(case: Case) -> Figures:
    network = with_random_weights(case.build)
    built = from_status("VmRSS")
    start = time.perf_counter()
    figures = case.run(network)
    return {
        "seconds": time.perf_counter() - start,
        "built_gib": built,
        "peak_gib": from_status("VmHWM"),
        **figures,
    }


def measure(name: str, environment: dict[str, str]) -> dict[str, object]:
    """A case in a process of its own, beside its goal."""
    command = [sys.executable, __file__, "--here", name]
    # What the attack logs of its choice goes to the terminal.
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    case = CASES[name]
    taken = figures["peak_gib"] - (figures["built_gib"] if case.beside_the_model else 0)
    return {
        "work": f"{name}, {torch.get_num_threads()} threads",
        "ours": taken,
        "theirs": case.goal,
        "unit": "GiB",
        "ratio": taken / case.goal,
        "agree": taken <= case.goal,
        **figures,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="+", choices=sorted(CASES))
    parser.add_argument("--default-malloc", action="store_true")
    parser.add_argument("--here", choices=sorted(CASES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        print(json.dumps(measure_here(CASES[arguments.here])))
        return
    environment = dict(os.environ) if arguments.default_malloc else os.environ | GIVE_BACK
    names = arguments.only or [name for name, case in CASES.items() if case.by_default]
    rows = []
    for name in names:
        rows.append(measure(name, environment))
        print(json.dumps(rows[-1]), flush=True)
    if arguments.json:
        write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
