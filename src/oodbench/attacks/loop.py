"""The one loop of the gradient attacks.

A small batch goes through the network; an image that is done leaves it, and the next waiting one
takes its place. Small, because the activations of a few images stay in the processor's cache;
refilled, because most images of an attack with early stop are done after a few iterations.
"""

from collections import deque
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from oodbench.attacks.balls import Ball
from oodbench.attacks.base import AttackResult
from oodbench.attacks.checks import refuse_nan
from oodbench.attacks.goals import Goal
from oodbench.attacks.network_access import Passed, Passes

NEVER = -1
"""`first_error` of an image whose iterates were all predicted correctly."""


@dataclass(frozen=True)
class Rules:
    """What an attack does with each image.

    Attributes:
        ball: that every iterate is projected to.
        step_size: length of a step in [0, 1] pixel units.
        iterations: gradient steps of a run.
        runs: starts of an image at most; a run that succeeds is the last one.
        random_start: uniform within the ball; otherwise a run starts at the clean image.
        clip_start: to [0, 1], as all other iterates are.
        early_stop: an image is done at its first iterate that is a success, also at its clean
            image; otherwise only the last iterate of a run is judged.
    """

    ball: Ball
    step_size: float
    iterations: int
    runs: int = 1
    random_start: bool = True
    clip_start: bool = True
    early_stop: bool = True


@dataclass
class _Slots:
    """The images in the network: positions in the batch, runs, steps taken, `(k,)`; iterates."""

    positions: Tensor
    runs: Tensor
    steps: Tensor
    iterates: Tensor

    def __len__(self) -> int:
        return len(self.positions)


class Descent:
    """An attack on one batch."""

    def __init__(
        self,
        passes: Passes,
        images: Tensor,
        logits: Tensor,
        goal: Goal,
        generators: list[torch.Generator],
        rules: Rules,
    ) -> None:
        """Judge the clean images, and queue those that have to be attacked.

        Args:
            passes: through the attacked network.
            images: float `(N, C, H, W)` in [0, 1].
            logits: `(N, K)` of the images.
            goal: what is wanted of each image.
            generators: one per image, for its random starts.
            rules: what the attack does.

        Raises:
            ImageError: a logit is NaN.
        """
        self.passes = passes
        self.images = images
        self.goal = goal
        self.generators = generators
        self.rules = rules
        self.positions = torch.arange(len(images), device=images.device)
        self.iterations = torch.zeros_like(self.positions)
        refuse_nan(logits, self.positions, len(images), self.iterations)
        self.kept_runs = torch.zeros_like(self.positions)
        self.kept = images.clone()
        pursued = goal.pursued(self.positions, self.kept_runs)
        self.losses = F.cross_entropy(logits, pursued, reduction="none")
        self.succeeded = goal.reached(logits, self.positions, self.kept_runs) & rules.early_stop
        wrong = logits.argmax(1) != goal.labels
        self.first_errors = torch.where(wrong, 0, torch.full_like(self.positions, NEVER))
        self.zero_gradient = torch.zeros_like(wrong)
        self.waiting = deque((int(place), 0) for place in (~self.succeeded).nonzero())

    def run(self) -> AttackResult:
        """Attack the batch.

        Returns:
            Where a run succeeded its success, elsewhere the last iterate of the run that came
            closest in loss. `columns`: `attack_loss` float32, cross entropy of these images to the
            target, or to the label if there is none; `first_error` int64, iterations until another
            class than the label was predicted, whatever the goal is (0: of the clean image; -1:
            never); `zero_gradient` bool, at the start of a run the gradient was 0 everywhere; and
            if there are targets `target`, int64, that of the returned image's run.

        Raises:
            ImageError: the network gave NaN.
        """
        self._descend()
        columns = {
            "attack_loss": self.losses.float(),
            "first_error": self.first_errors,
            "zero_gradient": self.zero_gradient,
        }
        if self.goal.targets is not None:
            columns["target"] = self.goal.pursued(self.positions, self.kept_runs)
        return AttackResult(self.kept, self.succeeded, self.iterations, columns)

    def _descend(self) -> None:
        nothing = self.positions[:0]
        slots = _Slots(nothing, nothing, nothing, self.images[:0])
        while self.waiting or len(slots):
            slots = self._refilled(slots)
            passed = self._pass(slots)
            self._enter(slots, passed)
            slots = _chosen(slots, passed.wanted)
            if len(slots):
                gradients = passed.gradients[passed.wanted]
                unmoved = (slots.steps == 0) & (gradients == 0).flatten(1).all(1)
                self.zero_gradient[slots.positions[unmoved]] = True
                slots = self._stepped(slots, gradients)

    def _pass(self, slots: _Slots) -> Passed:
        """An iterate's one forward pass gives its prediction and the gradient of its next step."""

        def objective(logits: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
            positions, runs, steps = (
                slots.positions[places],
                slots.runs[places],
                slots.steps[places],
            )
            pursued = self.goal.pursued(positions, runs)
            losses = F.cross_entropy(logits, pursued, reduction="none")
            reached = self.goal.reached(logits.detach(), positions, runs)
            early = reached & (steps > 0) & self.rules.early_stop  # a start is not judged
            return self.goal.sign * losses, (steps < self.rules.iterations) & ~early

        more = bool((slots.steps < self.rules.iterations).any())
        passed = self.passes.gradients(slots.iterates, objective, backward=more)
        refuse_nan(passed.logits, slots.positions, len(self.images), slots.steps)
        return passed

    def _refilled(self, slots: _Slots) -> _Slots:
        """With starts of waiting images in the free places."""
        free = max(0, self.passes.micro_batch - len(slots))
        entering = [self.waiting.popleft() for _ in range(min(free, len(self.waiting)))]
        if not entering:
            return slots
        new = torch.tensor(entering, device=self.images.device)
        starts = torch.stack([self._start(position) for position, _ in entering])
        return _joined(slots, _Slots(new[:, 0], new[:, 1], torch.zeros_like(new[:, 0]), starts))

    def _start(self, position: int) -> Tensor:
        clean = self.images[position]
        if not self.rules.random_start:
            return clean
        offset = self.rules.ball.draw(clean.shape, self.generators[position]).to(clean)
        start = clean + self.rules.ball.project(offset[None])[0]
        return start.clamp(0, 1) if self.rules.clip_start else start

    def _enter(self, slots: _Slots, passed: Passed) -> None:
        """Record what is done in the results, and queue failures for their next run."""
        losses, done = self.goal.sign * passed.values, ~passed.wanted
        reached = self.goal.reached(passed.logits, slots.positions, slots.runs)
        wrong = passed.logits.argmax(1) != self.goal.labels[slots.positions]
        wrong &= slots.steps > 0
        first = wrong & (self.first_errors[slots.positions] == NEVER)
        taken = self.iterations[slots.positions] + slots.steps
        self.first_errors[slots.positions[first]] = taken[first]
        previous = self.goal.sign * self.losses[slots.positions]
        lower = (slots.runs == 0) | (self.goal.sign * losses < previous)
        kept = done & (reached | lower)
        places = slots.positions[kept]
        self.kept[places] = slots.iterates[kept]
        self.losses[places] = losses[kept]
        self.kept_runs[places] = slots.runs[kept]
        finished = slots.positions[done]
        self.succeeded[finished] = reached[done]
        self.iterations[finished] += slots.steps[done]
        again = done & ~reached & (slots.runs + 1 < self.rules.runs)
        for position, run in zip(slots.positions[again], slots.runs[again], strict=True):
            self.waiting.append((int(position), int(run) + 1))

    def _stepped(self, slots: _Slots, gradients: Tensor) -> _Slots:
        moved = slots.iterates - self.rules.step_size * self.rules.ball.direction(gradients)
        clean = self.images[slots.positions]
        iterates = (clean + self.rules.ball.project(moved - clean)).clamp(0, 1)
        return _Slots(slots.positions, slots.runs, slots.steps + 1, iterates)


def _joined(one: _Slots, other: _Slots) -> _Slots:
    return _Slots(
        torch.cat([one.positions, other.positions]),
        torch.cat([one.runs, other.runs]),
        torch.cat([one.steps, other.steps]),
        torch.cat([one.iterates, other.iterates]),
    )


def _chosen(slots: _Slots, mask: Tensor) -> _Slots:
    return _Slots(slots.positions[mask], slots.runs[mask], slots.steps[mask], slots.iterates[mask])
