"""What attacks want: any error, or a target class, and how that is chosen."""

from dataclasses import dataclass

import torch
from torch import Tensor

from oodbench.attacks.checks import check_count, refuse
from oodbench.attacks.host import to_device
from oodbench.core.checking import alternatives
from oodbench.core.errors import ConfigError

RULES = ("none", "random", "least_likely", "top_k")


@dataclass(frozen=True)
class Goal:
    """What is wanted of each image of a batch.

    Attributes:
        labels: int64 `(N,)`.
        targets: int64 `(N, T)`: run r of an image pursues target r mod T; None: untargeted.
        any_error: every wrong class is a success, also for a run that pursues a target.
    """

    labels: Tensor
    targets: Tensor | None
    any_error: bool

    @property
    def sign(self) -> int:
        """1: cross entropy to the pursued class is to fall; -1: to rise."""
        return -1 if self.targets is None else 1

    def pursued(self, positions: Tensor, runs: Tensor) -> Tensor:
        """The class in the loss, int64 `(k,)`, of the images at `positions` in their runs."""
        if self.targets is None:
            return self.labels[positions]
        return self.targets[positions, runs % self.targets.shape[1]]

    def reached(self, logits: Tensor, positions: Tensor, runs: Tensor) -> Tensor:
        """bool `(k,)`; of equal logits the lowest index wins."""
        predictions = logits.argmax(1)
        if self.any_error:
            return predictions != self.labels[positions]
        return predictions == self.pursued(positions, runs)


@dataclass(frozen=True)
class Choice:
    """How targets are chosen, among the classes that the network has an output for.

    Attributes:
        rule: `none` (untargeted), `random` (uniform), `least_likely`, `top_k` (the k likeliest
            classes, one a run, where any error is a success: Croce & Hein, ICML 2020, section 6),
            all without the label; or a class index, for every image.
        k: of `top_k`.

    Raises:
        ConfigError: no such rule, or k below 1.
    """

    rule: str | int
    k: int

    def __post_init__(self) -> None:
        check_count("attack.top_k", self.k)
        if isinstance(self.rule, bool) or (isinstance(self.rule, int) and self.rule < 0):
            raise ConfigError(f"attack.target={self.rule}: must be a class index of at least 0")
        if isinstance(self.rule, str) and self.rule not in RULES:
            raise ConfigError(
                f"attack.target={self.rule}: {alternatives(self.rule, RULES)}, a class index"
            )

    @property
    def runs(self) -> int:
        """Runs until every target was pursued once."""
        return self.k if self.rule == "top_k" else 1

    def goal(self, logits: Tensor, labels: Tensor, generators: list[torch.Generator]) -> Goal:
        """The goal of a batch.

        Args:
            logits: `(N, K)` of the clean images.
            labels: int64 `(N,)` in 0..K - 1.
            generators: one an image; a random target is one draw from it.

        Raises:
            ImageError: a target is the image's label.
            ConfigError: a class index is beyond the last class.
        """
        if self.rule == "none":
            return Goal(labels, None, any_error=True)
        targets = self._targets(logits, labels, generators)
        refuse((targets == labels[:, None]).any(1), "has its own label as attack.target")
        return Goal(labels, targets, any_error=self.rule == "top_k")

    def _targets(self, logits: Tensor, labels: Tensor, generators: list[torch.Generator]) -> Tensor:
        if isinstance(self.rule, int):
            if self.rule >= logits.shape[1]:
                raise ConfigError(
                    f"attack.target={self.rule}: the model has classes 0 to {logits.shape[1] - 1}"
                )
            return torch.full_like(labels, self.rule)[:, None]
        others = ~torch.isneginf(logits)  # -inf: a class that the network has no output for
        others[torch.arange(len(labels), device=labels.device), labels] = False
        if self.rule == "random":
            return _random(others, generators)
        likely = logits.masked_fill(~others, torch.inf if self.rule != "top_k" else -torch.inf)
        order = likely.sort(dim=1, descending=self.rule == "top_k", stable=True).indices
        if self.rule == "least_likely":
            return order[:, :1]
        return order[:, : min(self.k, int(others.sum(1).min()))]


def _random(others: Tensor, generators: list[torch.Generator]) -> Tensor:
    """One of the classes that are marked in bool `(N, K)` for each image, `(N, 1)`."""
    marked = others.cpu()
    counts = zip(marked.sum(1).tolist(), generators, strict=True)
    drawn = torch.tensor(
        [int(torch.randint(count, (), generator=generator)) for count, generator in counts]
    )
    # The class that is marked after as many others as were drawn.
    targets = (marked.cumsum(1) > drawn[:, None]).int().argmax(1, keepdim=True)
    return to_device(targets, others.device)


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """Logit of the label minus the highest other one, `(k,)`."""
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    return logits.gather(1, labels[:, None])[:, 0] - others
