"""The one loop of the gradient attacks.

A small batch goes through the network; an image that is done leaves it, and the next waiting one
takes its place. Small, because the activations of a few images stay in the processor's cache;
refilled, because most images of an attack with early stop are done after a few iterations.
"""

from collections import deque
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oodbench.attacks.balls import Ball
from oodbench.attacks.base import AttackResult
from oodbench.attacks.checks import refuse_nan
from oodbench.attacks.goals import Goal
from oodbench.attacks.memory import halved, is_out_of_memory, release

MICRO_BATCH = 8
"""Images in the network at once: fastest with two threads, see benchmarks/attacks.py. With one, 16
is: PyTorch then computes 1x1 convolutions of fewer images without oneDNN."""

NEVER = -1
"""`first_error` of an image whose every iterate was predicted right."""


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
        micro_batch: images in the network at once, fewer once memory has run out.
    """

    ball: Ball
    step_size: float
    iterations: int
    runs: int = 1
    random_start: bool = True
    clip_start: bool = True
    early_stop: bool = True
    micro_batch: int = MICRO_BATCH


@dataclass
class _Slots:
    """The images in the network: positions in the batch, runs, steps taken, `(k,)`; iterates."""

    positions: Tensor
    runs: Tensor
    steps: Tensor
    iterates: Tensor

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True)
class _Passed:
    """What a pass found, `(k,)`; gradients as the iterates, none where all are done."""

    losses: Tensor
    wrong: Tensor
    reached: Tensor
    done: Tensor
    gradients: Tensor


class Descent:
    """An attack on one batch."""

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        logits: Tensor,
        goal: Goal,
        generators: list[torch.Generator],
        rules: Rules,
    ) -> None:
        """Set up the attack.

        Args:
            network: images in [0, 1] -> logits `(N, K)`, frozen.
            images: float `(N, C, H, W)` in [0, 1].
            logits: `(N, K)` of the images.
            goal: what is wanted of each image.
            generators: one an image, for its random starts.
            rules: what the attack does.

        Raises:
            ImageError: a logit is NaN.
        """
        self.network = network
        self.images = images
        self.goal = goal
        self.generators = generators
        self.rules = rules
        self.micro_batch = rules.micro_batch
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
        nothing = self.positions[:0]
        self.parked = _Slots(nothing, nothing, nothing, images[:0])
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
        with torch.enable_grad():
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
        slots = self.parked
        while self.waiting or len(slots) or len(self.parked):
            slots = self._refilled(slots)
            failure: Exception | None = None
            try:
                passed = self._pass(slots)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failure = error.with_traceback(None)  # its frames hold the activations
            if failure is not None:
                slots = self._fewer(slots, failure)
                continue
            self._enter(slots, passed)
            going = ~passed.done
            slots = _chosen(slots, going)
            if len(slots):
                gradients = passed.gradients[going]
                unmoved = (slots.steps == 0) & (gradients == 0).flatten(1).all(1)
                self.zero_gradient[slots.positions[unmoved]] = True
                slots = self._stepped(slots, gradients)

    def _pass(self, slots: _Slots) -> _Passed:
        """An iterate's one forward pass gives its prediction and the gradient of its next step.

        Nothing of the attack changes here, so that a pass that runs out of memory can be repeated.
        """
        more = bool((slots.steps < self.rules.iterations).any())
        leaves = slots.iterates.detach().requires_grad_(more)
        logits = self.network(leaves)
        refuse_nan(logits, slots.positions, len(self.images), slots.steps)
        pursued = self.goal.pursued(slots.positions, slots.runs)
        losses = F.cross_entropy(logits, pursued, reduction="none")
        reached = self.goal.reached(logits.detach(), slots.positions, slots.runs)
        early = reached & (slots.steps > 0) & self.rules.early_stop  # a start is not judged
        done = (slots.steps == self.rules.iterations) | early
        gradients = leaves.detach()[:0]
        if not done.all():
            # The sum, not the mean: an image's gradient is then the same in every batch.
            objective = self.goal.sign * losses[~done].sum()
            (gradients,) = torch.autograd.grad(objective, leaves)
        wrong = logits.argmax(1) != self.goal.labels[slots.positions]
        return _Passed(losses.detach(), wrong, reached, done, gradients)

    def _fewer(self, slots: _Slots, failure: Exception) -> _Slots:
        """Half of the images; the others wait with their iterates, before all new ones."""
        self.micro_batch = halved(len(slots), failure)
        release(self.images.device)
        places = torch.arange(len(slots), device=self.images.device)
        self.parked = _joined(_chosen(slots, places >= self.micro_batch), self.parked)
        return _chosen(slots, places < self.micro_batch)

    def _refilled(self, slots: _Slots) -> _Slots:
        """With parked images and starts of waiting ones in the free places."""
        if len(self.parked):
            places = torch.arange(len(self.parked), device=self.images.device)
            back = places < self.micro_batch - len(slots)
            slots = _joined(slots, _chosen(self.parked, back))
            self.parked = _chosen(self.parked, ~back)
        free = self.micro_batch - len(slots)
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

    def _enter(self, slots: _Slots, passed: _Passed) -> None:
        """Enter what is done into the results and let failures wait for their next run."""
        losses, reached, done = passed.losses, passed.reached, passed.done
        wrong = passed.wrong & (slots.steps > 0)
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
