"""The attacks against foolbox and torchattacks on the same pictures: who is fooled.

Both sides get the same radius, step, number of steps and network. Libraries draw from one generator
per image, too (torchattacks' Square, which draws one square for a whole batch, gets pictures one by
one), but PGD's starts come from other draws, and ours runs on a folded copy: success is compared by
the interval of the paired difference. See measurements/attacks.py.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torchattacks
from torch import Tensor, nn

from oodbench.attacks.apgd import APGD
from oodbench.attacks.base import Attack
from oodbench.attacks.libraries.randomness import PerImageRandomness
from oodbench.attacks.pgd import PGD
from oodbench.attacks.square import Square

RADII = {"linf": 0.5 / 255, "l2": 0.2}
"""About half of the pictures resist."""

STEPS = 10
SQUARE_EPS, QUERIES = 8 / 255, 60
BATCH = 10
WEAKER = 0.01
"""Of the pictures: how many fewer ours may fool at most."""


@dataclass(frozen=True)
class Peer:
    """An attack of a library.

    Attributes:
        name: of library and attack.
        run: pictures and labels -> adversarial pictures.
        batch: pictures at once.
    """

    name: str
    run: Callable[[Tensor, Tensor], Tensor]
    batch: int = BATCH

    def on(self, images: Tensor, labels: Tensor) -> Tensor:
        """All adversarial pictures; the seed of a picture is its position."""
        made = []
        for seeds in torch.arange(len(images)).split(self.batch):
            with PerImageRandomness(seeds.tolist()):
                made.append(self.run(images[seeds], labels[seeds]))
        return torch.cat(made)


def of_foolbox(classifier: nn.Module, norm: str) -> Peer:
    """PGD of foolbox 3."""
    from foolbox import PyTorchModel  # here, because only this comparison needs it
    from foolbox import attacks as foolbox_attacks

    radius = RADII[norm]
    kind = {"linf": foolbox_attacks.LinfPGD, "l2": foolbox_attacks.L2PGD}[norm]
    attack = kind(abs_stepsize=radius / 4, steps=STEPS, random_start=True)
    model = PyTorchModel(classifier, bounds=(0, 1), device="cpu")

    def run(images: Tensor, labels: Tensor) -> Tensor:
        return torch.as_tensor(attack(model, images, labels, epsilons=radius)[1])

    return Peer("foolbox PGD", run)


def of_torchattacks(attack: Any, batch: int = BATCH) -> Peer:
    """An attack of torchattacks, on the processor."""
    attack.set_device("cpu")

    def run(images: Tensor, labels: Tensor) -> Tensor:
        return torch.as_tensor(attack(images, labels))

    return Peer(f"torchattacks {type(attack).__name__}", run, batch)


def pairs(classifier: nn.Module, micro_batch: int) -> Iterator[tuple[str, Attack, Peer]]:
    """What is compared: a name, ours, theirs."""
    kinds = {"linf": torchattacks.PGD, "l2": torchattacks.PGDL2}
    for norm, radius in RADII.items():
        ours = PGD(
            name=f"pgd_{norm}",
            norm=norm,
            eps=radius,
            step_size=radius / 4,
            iterations=STEPS,
            micro_batch=micro_batch,
        )
        yield ours.name, ours, of_foolbox(classifier, norm)
        peer = kinds[norm](classifier, eps=radius, alpha=radius / 4, steps=STEPS, random_start=True)
        yield ours.name, ours, of_torchattacks(peer)
        apgd = APGD(
            name="apgd_ce", norm=norm, eps=radius, iterations=STEPS, micro_batch=micro_batch
        )
        library_norm = {"linf": "Linf", "l2": "L2"}[norm]
        peer = torchattacks.APGD(classifier, norm=library_norm, eps=radius, steps=STEPS)
        yield f"apgd_ce {norm}", apgd, of_torchattacks(peer)
    square = Square(name="square", eps=SQUARE_EPS, queries=QUERIES, micro_batch=micro_batch)
    peer = torchattacks.Square(classifier, eps=SQUARE_EPS, n_queries=QUERIES)
    yield "square", square, of_torchattacks(peer, batch=1)


def paired_difference(ours: Tensor, theirs: Tensor) -> tuple[float, float]:
    """95 % interval of the difference of two shares of the same pictures, bool `(N,)` each.

    That of Agresti & Min 2005: Wald's with half a pair more in each cell.
    """
    n = len(ours) + 2
    only_ours = int((ours & ~theirs).sum()) + 0.5
    only_theirs = int((theirs & ~ours).sum()) + 0.5
    difference = (only_ours - only_theirs) / n
    spread = 1.96 / n * (only_ours + only_theirs - (only_ours - only_theirs) ** 2 / n) ** 0.5
    return difference - spread, difference + spread


def strengths(
    classifier: nn.Module, images: Tensor, labels: Tensor, micro_batch: int
) -> Iterator[dict[str, Any]]:
    """One row per pair; success is a wrong prediction of the network itself, not of our copy."""

    def fooled(adversarial: Tensor) -> Tensor:
        with torch.no_grad():
            predicted = [classifier(part).argmax(1) for part in adversarial.split(BATCH)]
        return torch.cat(predicted) != labels

    known: dict[str, Tensor] = {}
    for name, attack, peer in pairs(classifier, micro_batch):
        if name not in known:
            result = attack(classifier, images, labels, list(range(len(images))))
            known[name] = fooled(result.images)
        ours = known[name]
        theirs = fooled(peer.on(images, labels))
        low, high = paired_difference(ours, theirs)
        own, other = int(ours.sum()), int(theirs.sum())
        yield {
            "work": f"{name}, {peer.name}, {len(images)} pictures",
            "ours": 100 * own / len(ours),
            "theirs": 100 * other / len(ours),
            "unit": "% success",
            "ratio": own / other if other else None,
            "same": (ours == theirs).float().mean().item(),
            "difference": [low, high],
            "agree": high >= 0 and other - own <= WEAKER * len(ours),
        }
