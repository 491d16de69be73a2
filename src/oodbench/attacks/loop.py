"""The one loop of the gradient attacks.

A small batch goes through the network; an image that is done leaves it, and the next waiting one
takes its place. Small, because the activations of a few images stay in the processor's cache;
refilled, because most images of an attack with early stop are done after a few iterations.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from oodbench.attacks.balls import Ball
from oodbench.attacks.base import AttackResult
from oodbench.attacks.checks import (
    ImageError,
    gradient_complaint,
    nan_complaint,
    refuse_nan,
)
from oodbench.attacks.goals import Goal
from oodbench.attacks.gradient_watch import GradientWatch
from oodbench.attacks.host import rows_at, to_device, to_host
from oodbench.attacks.network_access import Passed, Passes
from oodbench.attacks.starts import Starts

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


class _Slot(NamedTuple):
    """An image in the network, for the host: its position in the batch, run, and steps taken."""

    position: int
    run: int
    step: int = 0


@dataclass(frozen=True)
class _Slots:
    """The images in the network.

    Attributes:
        known: what the host knows of each without asking.
        table: the same on the device, int64 `(5, k)`: positions, runs, steps; and the steps of the
            first logits and of the first gradient that were no numbers, or NEVER.
        iterates: `(k, C, H, W)`.
    """

    known: list[_Slot]
    table: Tensor
    iterates: Tensor

    def __len__(self) -> int:
        return len(self.known)


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
        self.watch = GradientWatch(rules.ball.size, self.positions)
        self.start_values = torch.zeros_like(self.losses)
        settled = self.succeeded if goal.left_out is None else self.succeeded | goal.left_out
        (settled_flags,) = to_host(settled)
        self.waiting = deque(
            _Slot(place, 0) for place, is_so in enumerate(settled_flags) if not is_so
        )
        self.starts = Starts(self._offset, generators, images.device)

    def run(self) -> AttackResult:
        """Attack the batch.

        Returns:
            Where a run succeeded its success, elsewhere the last iterate of the run that came
            closest in loss. `columns`: `attack_loss` float32, cross entropy of these images to the
            target, or to the label if there is none; `first_error` int64, iterations until another
            class than the label was predicted, whatever the goal is (0: of the clean image; -1:
            never); what `GradientWatch` has seen; and what the goal adds: `target` int64, of the
            returned image's run, and `left_out` bool, see `Goal.columns`.

        Raises:
            ImageError: the network gave NaN, or a gradient that is not finite.
        """
        self._descend()
        columns = {
            "attack_loss": self.losses.float(),
            "first_error": self.first_errors,
            **self.watch.columns(),
            **self.goal.columns(self.positions, self.kept_runs),
        }
        return AttackResult(
            self.kept, self.succeeded, self.iterations, columns, self.goal.any_error
        )

    def _descend(self) -> None:
        slots = _Slots([], self.positions.new_empty(5, 0), self.images[:0])
        while self.waiting or len(slots):
            slots = self._refilled(slots)
            passed, hits = self._pass(slots)
            self._note_errors(slots, passed)
            self._note_values(slots, passed)
            done = [place for place, wanted in enumerate(passed.wanted) if not wanted]
            if done:
                self._finish(slots, passed, done)
                self._queue_failures(slots.known[place] for place in done if not hits[place])
            left = [place for place, wanted in enumerate(passed.wanted) if wanted]
            at = rows_at(left, len(slots), self.images.device)
            slots = _Slots([slots.known[i] for i in left], slots.table[:, at], slots.iterates[at])
            if left:
                slots = self._stepped(slots, passed.gradients[at])

    def _pass(self, slots: _Slots) -> tuple[Passed, list[int]]:
        """An iterate's one forward pass gives its prediction and the gradient of its next step.

        Returns:
            What the pass found, and which iterates are successes; none where none is judged.
        """
        last, early_stop = self.rules.iterations, self.rules.early_stop
        looking = early_stop or any(slot.step == last for slot in slots.known)
        hits = [0] * len(slots)
        first_nan, first_bad = [NEVER] * len(slots), [NEVER] * len(slots)

        def objective(logits: Tensor, places: slice) -> tuple[Tensor, list[bool]]:
            positions, runs, steps, nan, bad = slots.table[:, places]
            losses = F.cross_entropy(logits, self.goal.pursued(positions, runs), reduction="none")
            begins = logits.detach().isnan().any(1) & (nan == NEVER)
            nan.copy_(torch.where(begins, steps, nan))
            if looking:
                reached = self.goal.reached(logits.detach(), positions, runs)
                hits[places], first_nan[places], first_bad[places] = to_host(reached, nan, bad)
            return self.goal.sign * losses, [
                slot.step < last and not (early_stop and hit and slot.step)  # a start is not judged
                for slot, hit in zip(slots.known[places], hits[places], strict=True)
            ]

        more = any(slot.step < last for slot in slots.known)
        passed = self.passes.gradients(slots.iterates, objective, backward=more)
        self._refuse_no_numbers(slots, first_nan, first_bad)
        return passed, hits

    def _refuse_no_numbers(self, slots: _Slots, first_nan: list[int], first_bad: list[int]) -> None:
        """Refuse the image whose logits or gradient were the first that are no numbers."""
        found = [
            (step - slot.step, place, complaint(step))  # passes since then, as a negative number
            for steps, complaint in ((first_nan, nan_complaint), (first_bad, gradient_complaint))
            for place, (slot, step) in enumerate(zip(slots.known, steps, strict=True))
            if step != NEVER
        ]
        if found:
            _, place, complaint = min(found, key=lambda entry: entry[:2])
            raise ImageError(slots.known[place].position, len(self.images), complaint)

    def _refilled(self, slots: _Slots) -> _Slots:
        """With starts of waiting images in the free places."""
        free = max(0, self.passes.micro_batch - len(slots))
        entering = [self.waiting.popleft() for _ in range(min(free, len(self.waiting)))]
        if entering:
            slots = _joined(slots, self._started(entering))
        if self.rules.random_start:
            following = islice(self.waiting, self.passes.micro_batch)
            self.starts.begin(slot.position for slot in following)
        return slots

    def _started(self, entering: list[_Slot]) -> _Slots:
        table = torch.tensor([(*slot, NEVER, NEVER) for slot in entering]).T
        table = to_device(table.contiguous(), self.images.device)
        starts = self.images[table[0]]
        if self.rules.random_start:
            starts = starts + self.starts.take([slot.position for slot in entering])
            starts = starts.clamp(0, 1) if self.rules.clip_start else starts
        return _Slots(entering, table, starts)

    def _offset(self, generator: torch.Generator) -> Tensor:
        """Of a random start; projected on the CPU too, for the same bits on every device."""
        drawn = self.rules.ball.draw(self.images.shape[1:], generator).to(self.images.dtype)
        return self.rules.ball.project(drawn[None])[0]

    def _note_errors(self, slots: _Slots, passed: Passed) -> None:
        """When another class than the label was predicted for the first time."""
        positions, _, steps, _, _ = slots.table
        wrong = (passed.logits.argmax(1) != self.goal.labels[positions]) & (steps > 0)
        before = self.first_errors[positions]
        first = wrong & (before == NEVER)
        taken = self.iterations[positions] + steps
        self.first_errors[positions] = torch.where(first, taken, before)

    def _note_values(self, slots: _Slots, passed: Passed) -> None:
        """Whether an iterate's loss is nearer to the goal than that of its run's start."""
        positions, _, steps, _, _ = slots.table
        before = torch.where(steps == 0, passed.values, self.start_values[positions])
        self.start_values[positions] = before
        self.watch.compare(positions, passed.values < before, steps == 0)

    def _finish(self, slots: _Slots, passed: Passed, done: list[int]) -> None:
        """Record the images at these places in the results."""
        at = rows_at(done, len(slots), self.images.device)
        positions, runs, steps, _, _ = slots.table[:, at]
        reached = self.goal.reached(passed.logits[at], positions, runs)
        losses, before = self.goal.sign * passed.values[at], self.losses[positions]
        better = reached | (runs == 0) | (self.goal.sign * losses < self.goal.sign * before)
        pixels = better[:, None, None, None]
        self.kept[positions] = torch.where(pixels, slots.iterates[at], self.kept[positions])
        self.losses[positions] = torch.where(better, losses, before)
        self.kept_runs[positions] = torch.where(better, runs, self.kept_runs[positions])
        self.succeeded[positions] = reached
        self.iterations[positions] += steps

    def _queue_failures(self, slots: Iterable[_Slot]) -> None:
        """For the next run, if there is one."""
        for position, run, _ in slots:
            if run + 1 < self.rules.runs:
                self.waiting.append(_Slot(position, run + 1))

    def _stepped(self, slots: _Slots, gradients: Tensor) -> _Slots:
        positions, runs, steps, nan, bad = slots.table
        starts = steps == 0 if any(slot.step == 0 for slot in slots.known) else False
        begins = self.watch.see(positions, gradients, starts) & (bad == NEVER)
        bad = torch.where(begins, steps, bad)
        moved = slots.iterates - self.rules.step_size * self.rules.ball.direction(gradients)
        clean = self.images[positions]
        iterates = (clean + self.rules.ball.project(moved - clean)).clamp(0, 1)
        known = [_Slot(slot.position, slot.run, slot.step + 1) for slot in slots.known]
        return _Slots(known, torch.stack([positions, runs, steps + 1, nan, bad]), iterates)


def _joined(one: _Slots, other: _Slots) -> _Slots:
    if not len(one):
        return other
    return _Slots(
        one.known + other.known,
        torch.cat([one.table, other.table], dim=1),
        torch.cat([one.iterates, other.iterates]),
    )
