"""What attacks want: any error, or a target class, and how that is chosen."""

from dataclasses import dataclass

import torch
from torch import Tensor

from oodbench.attacks.checks import check_count
from oodbench.attacks.host import to_device
from oodbench.core.checking import alternatives
from oodbench.core.errors import ConfigError
from oodbench.metrics.adversarial import LEFT_OUT

RULES = ("none", "random", "least_likely", "top_k")
OWN_LABEL = ("leave_out", "next")


@dataclass(frozen=True)
class Goal:
    """What is wanted of each image of a batch.

    Attributes:
        labels: int64 `(N,)`.
        targets: int64 `(N, T)`: run r of an image pursues target r mod T; None: untargeted.
        any_error: every wrong class is a success, also for a run that pursues a target.
        left_out: bool `(N,)`, which images are not attacked; None where none ever is.
    """

    labels: Tensor
    targets: Tensor | None
    any_error: bool
    left_out: Tensor | None = None

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
        """bool `(k,)`, never of an image that is left out; of equal logits the first wins."""
        predictions = logits.argmax(1)
        if self.any_error:
            return predictions != self.labels[positions]
        reached = predictions == self.pursued(positions, runs)
        return reached if self.left_out is None else reached & ~self.left_out[positions]

    def missed(self, logits: Tensor, positions: Tensor, runs: Tensor) -> Tensor:
        """bool `(k,)`: attacked, and not reached."""
        missed = ~self.reached(logits, positions, runs)
        return missed if self.left_out is None else missed & ~self.left_out[positions]

    def columns(self, positions: Tensor, runs: Tensor) -> dict[str, Tensor]:
        """What is recorded of it: the target of an image's run, and whether it was left out."""
        columns = {} if self.targets is None else {"target": self.pursued(positions, runs)}
        return columns if self.left_out is None else columns | {LEFT_OUT: self.left_out}


@dataclass(frozen=True)
class Choice:
    """How targets are chosen, among the classes that the network has an output for.

    Attributes:
        rule: `none` (untargeted), `random` (uniform), `least_likely`, `top_k` (the k likeliest
            classes, one a run, where any error is a success: Croce & Hein, ICML 2020, section 6),
            all without the label; or a class index, for every image.
        k: of `top_k`.
        own_label: of an image whose label is that class index: `leave_out` does not attack it,
            `next` takes the next class that the network has.

    Raises:
        ConfigError: no such rule, or k below 1.
    """

    rule: str | int
    k: int
    own_label: str = "leave_out"

    def __post_init__(self) -> None:
        if self.own_label not in OWN_LABEL:
            known = alternatives(self.own_label, OWN_LABEL)
            raise ConfigError(f"attack.target_is_label={self.own_label}: {known}")
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
            ConfigError: the network has no output for a class index.
        """
        if self.rule == "none":
            return Goal(labels, None, any_error=True)
        others = ~torch.isneginf(logits)  # -inf: a class that the network has no output for
        if isinstance(self.rule, int):
            return self._of_one_class(self.rule, others, labels)
        others[torch.arange(len(labels), device=labels.device), labels] = False
        targets = self._targets(logits, others, generators)
        return Goal(labels, targets, any_error=self.rule == "top_k")

    def _of_one_class(self, target: int, known: Tensor, labels: Tensor) -> Goal:
        """Of classes that are marked in bool `(N, K)`."""
        count = known.shape[1]
        if target >= count:
            raise ConfigError(f"attack.target={target}: the model has classes 0 to {count - 1}")
        if not known[:, target].all():
            raise ConfigError(f"attack.target={target}: the model has no output for this class")
        own = labels == target
        if own.any() and not known[own].sum(1).gt(1).all():
            raise ConfigError(f"attack.target={target}: the model has no other class")
        following = (torch.arange(count, device=labels.device) + target + 1) % count
        after = following[known[:, following].int().argmax(1)]
        targets = torch.where(own, after, target)[:, None]
        return Goal(labels, targets, False, own if self.own_label == "leave_out" else None)

    def _targets(self, logits: Tensor, others: Tensor, generators: list[torch.Generator]) -> Tensor:
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
