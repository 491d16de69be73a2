"""Auto-PGD (Croce & Hein, ICML 2020, arXiv:2003.01690): PGD that chooses its own step size."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oodbench.attacks.balls import ball
from oodbench.attacks.base import AttackResult, Norm, generators_of
from oodbench.attacks.checks import (
    ImageError,
    check_count,
    check_eps,
    check_norm,
    refuse_bad_gradients,
    refuse_nan,
)
from oodbench.attacks.gradient_watch import GradientWatch
from oodbench.attacks.host import rows_at, to_host
from oodbench.attacks.memory import MemoryBudget
from oodbench.attacks.network_access import NetworkAccess, Passes
from oodbench.attacks.starts import Starts
from oodbench.core.errors import ConfigError

LOSSES = ("ce", "ce_targeted", "dlr_targeted")

LEAST_OF_DLR = 4
"""Classes that the targeted difference of logits ratio needs."""

_MOMENTUM = 0.75
"""alpha of equation 3: the share of the new step, the rest is the previous one."""

_STATE = 10
"""Tensors of an image's size that a run keeps for each image, temporary ones included."""

_RISES = 0.75
"""rho of condition 1: the share of the steps since the last check that must raise the loss."""

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Logits `(k, K)`, labels and targets `(k,)` -> losses `(k,)`, which the attack raises."""


def cross_entropy(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy to the label; there is no target."""
    return F.cross_entropy(logits, labels, reduction="none")


def ce_targeted(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Minus the cross entropy to the target, for networks of too few classes for the ratio."""
    return -F.cross_entropy(logits, targets, reduction="none")


def dlr_targeted(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """The targeted difference of logits ratio (equation 7), which no scale of the logits changes.

    Of logits `z` sorted as `z1 >= z2 >= …`: `-(z_label - z_target) / (z1 - (z3 + z4) / 2)`.
    """
    ordered = logits.sort(dim=1).values
    rows = torch.arange(len(logits), device=logits.device)
    spread = ordered[:, -1] - 0.5 * ordered[:, -3] - 0.5 * ordered[:, -4] + 1e-12
    return (logits[rows, targets] - logits[rows, labels]) / spread


@dataclass
class _Found:
    """What an attack has found for a batch so far, each `(N, …)`."""

    images: Tensor
    succeeded: Tensor
    iterations: Tensor
    losses: Tensor
    runs: Tensor
    watch: GradientWatch


@dataclass
class _State:
    """A run's images, their iterates and what it remembers of them, each `(k, …)`."""

    rows: Tensor
    clean: Tensor
    labels: Tensor
    targets: Tensor
    iterates: Tensor
    previous: Tensor
    step_sizes: Tensor
    gradients: Tensor
    bad_gradients: Tensor
    history: Tensor
    best: Tensor
    best_losses: Tensor
    best_gradients: Tensor
    checked_losses: Tensor
    reduced: Tensor

    def keep(self, at: Tensor | slice) -> None:
        """Only the images at these places."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[at])


class APGD:
    """Auto-PGD on cross entropy, to the label or a target, or on the targeted logits ratio.

    The algorithm is that of the authors' code (fra31/auto-attack, and from there torchattacks),
    where the first iterate counts as a rise if its loss is above 0. An image that is misclassified
    anyway is a success of 0 iterations; every other one is done at its first misclassified iterate,
    whatever the run's target. A run begins at a random point of the ball's surface, and is only
    made for images that all earlier runs failed at.
    """

    needs_gradients = True
    splits_batches = True

    def __init__(
        self,
        *,
        name: str,
        eps: float,
        norm: str = "linf",
        loss: str = "ce",
        iterations: int = 100,
        restarts: int = 1,
        targets: int = 9,
        micro_batch: int | None = None,
        memory: MemoryBudget = None,
    ) -> None:
        """Choose the ball, the loss, and how long to search.

        Args:
            name: for tables and folders.
            eps: radius in [0, 1] pixel units.
            norm: linf or l2.
            loss: ce, dlr_targeted, or ce_targeted, which needs but two classes.
            iterations: gradient steps of a run, at least 1.
            restarts: runs per image, with a targeted loss per target.
            targets: of a targeted loss: the likeliest wrong classes, one after the other, as many
                as there are.
            micro_batch: images in the network at once, with `memory` at most; None: 8 on a CPU,
                256 of 224 x 224 pixels on CUDA.
            memory: GiB that the attack may take beside the model, auto (what is free), or None.

        Raises:
            ConfigError: a value is out of range.
        """
        self.name = name
        self.norm: Norm = check_norm(norm)
        self.eps: float | None = check_eps(eps, self.norm)
        self.ball = ball(self.norm, self.eps)
        if loss not in LOSSES:
            raise ConfigError(f"attack.loss={loss}: available: {', '.join(LOSSES)}")
        self.targeted = loss != "ce"
        losses = dict(zip(LOSSES, (cross_entropy, ce_targeted, dlr_targeted), strict=True))
        self.loss: Loss = losses[loss]
        self.iterations = check_count("attack.iterations", iterations)
        self.restarts = check_count("attack.restarts", restarts)
        self.targets = check_count("attack.targets", targets)
        self.access = NetworkAccess(micro_batch, memory, state=_STATE)

    def __call__(
        self,
        classifier: nn.Module,
        images: Tensor,
        labels: Tensor,
        seeds: list[int],
        clean_logits: Tensor | None = None,
    ) -> AttackResult:
        """Attack a batch.

        Args:
            classifier: images in [0, 1] -> logits `(N, K)`. It is put into evaluation mode.
            images: float32 or float64 `(N, C, H, W)` in [0, 1].
            labels: int64 `(N,)` in 0..K - 1.
            seeds: one per image.
            clean_logits: `(N, K)` of the images, where they are known.

        Returns:
            The first misclassified iterate of a success, else the clean image, as the authors do.
            `iterations`: over all runs. `columns`: `attack_loss` float32, cross entropy to the
            label of the returned image; `runs` int64, how many were made; and what `GradientWatch`
            has seen.

        Raises:
            ImageError: a pixel is outside [0, 1], a logit NaN, or a gradient not finite.
            ConfigError: the loss needs more classes than the network has.
        """
        images = images.detach()
        offset = partial(self._offset, images.shape[1:], images.dtype)
        starts = Starts(offset, generators_of(images, seeds), images.device)
        with self.access.open(classifier, images) as passes:
            search = _Search(self, passes, images, labels)
            clean = passes.clean_logits(images, clean_logits)
            for rows in passes.groups(images):
                search.run(rows, clean[rows], starts)
        found = search.found
        columns = {
            "attack_loss": found.losses.float(),
            "runs": found.runs,
            **found.watch.columns(),
        }
        return AttackResult(found.images, found.succeeded, found.iterations, columns)

    def targets_of_runs(self, logits: Tensor, labels: Tensor) -> list[Tensor]:
        """The target `(k,)` of each run; the label where there is none."""
        if not self.targeted:
            return [labels] * self.restarts
        classes = int(torch.isfinite(logits).sum(1).min())
        if self.loss is dlr_targeted and classes < LEAST_OF_DLR:
            raise ConfigError(
                f"attack.loss=dlr_targeted: needs {LEAST_OF_DLR} classes, the model has {classes}: "
                "use attack.loss=ce_targeted"
            )
        likely = logits.sort(dim=1).indices
        return [
            likely[:, -2 - rank]
            for rank in range(min(self.targets, classes - 1))
            for _ in range(self.restarts)
        ]

    def _offset(self, shape: torch.Size, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
        """To a point of the ball's surface, in the direction of a uniform or normal draw."""
        if self.norm == "linf":
            drawn = 2 * torch.rand(shape, generator=generator) - 1
            direction = drawn / drawn.abs().max()
        else:
            drawn = torch.randn(shape, generator=generator)
            direction = drawn / drawn.double().norm().to(drawn)
        return self.ball.project(self.ball.radius * direction[None].to(dtype))[0]


class _Search:
    """All runs on one batch."""

    def __init__(self, attack: APGD, passes: Passes, images: Tensor, labels: Tensor) -> None:
        self.attack = attack
        self.passes = passes
        self.images = images
        self.labels = labels
        nothing = torch.zeros_like(labels)
        losses = torch.zeros(len(images), dtype=images.dtype, device=images.device)
        watch = GradientWatch(attack.ball.size, labels)
        self.found = _Found(images.clone(), nothing.bool(), nothing.clone(), losses, nothing, watch)

    def run(self, rows: Tensor, logits: Tensor, starts: Starts) -> None:
        """All runs of the images at `rows`, of which these are the clean logits `(k, K)`."""
        found, labels, positions = self.found, self.labels[rows], rows.tolist()
        refuse_nan(logits, rows, len(self.images), 0)
        losses = F.cross_entropy(logits, labels, reduction="none")
        found.losses[rows] = losses.to(found.losses)
        found.succeeded[rows] = logits.argmax(1) != labels
        runs = self.attack.targets_of_runs(logits, labels)
        while runs:
            (succeeded,) = to_host(found.succeeded[rows])
            left = [place for place, done in enumerate(succeeded) if not done]
            if not left:
                return
            at = rows_at(left, len(rows), rows.device)
            times = min(max(1, self.passes.room(len(left)) // len(left)), len(runs))
            targets = [targets[at] for targets in runs[:times]]
            runs = runs[times:]
            entering = [positions[place] for place in left]
            offsets = [starts.take(entering) for _ in range(times)]
            if times == 1:
                found.runs[rows[at]] += 1
                self._descend(rows[at], targets, offsets)
            else:
                self._descend_at_once(rows[at], targets, offsets)

    def _descend(self, rows: Tensor, targets: list[Tensor], offsets: list[Tensor]) -> None:
        """Runs that begin at these offsets of the images at `rows`."""
        clean = self.images[rows]
        starts = _inside(_joined(offsets), clean)
        run = _Run(self.attack, self.passes, self.images, self.found, len(rows) // len(targets))
        run.descend(rows, clean, self.labels[rows], _joined(targets), starts)

    def _descend_at_once(self, rows: Tensor, targets: list[Tensor], offsets: list[Tensor]) -> None:
        """Several runs of the few images at `rows` in the same passes; those after the first
        success of an image were not needed, and are forgotten."""
        found, times, count = self.found, len(targets), len(rows)
        own = rows.repeat(times)
        search = _Search(self.attack, self.passes, self.images[own], self.labels[own])
        every = torch.arange(len(own), device=own.device)
        try:
            search._descend(every, targets, offsets)
        except ImageError as error:
            raise error.among(own.tolist(), len(self.images)) from error
        apart = search.found
        succeeded = apart.succeeded.view(times, count)
        order = torch.arange(times, device=own.device)[:, None]
        last = torch.where(succeeded, order, times - 1).amin(0)
        made = order <= last
        chosen = last * count + torch.arange(count, device=own.device)
        found.images[rows] = apart.images[chosen]
        found.losses[rows] = torch.where(
            apart.succeeded[chosen], apart.losses[chosen], found.losses[rows]
        )
        found.succeeded[rows] = apart.succeeded[chosen]
        found.iterations[rows] += (apart.iterations.view(times, count) * made).sum(0)
        found.runs[rows] += last + 1
        found.watch.add(rows, apart.watch, made)


class _Run:
    """One descent of some images, in lockstep; those that are done drop out.

    Where they are the same k images several times, for that many runs, the later runs of an image
    drop out, too, when one of it succeeds.
    """

    def __init__(
        self, attack: APGD, passes: Passes, images: Tensor, found: _Found, n_images: int
    ) -> None:
        self.attack = attack
        self.passes = passes
        self.images = images
        self.found = found
        self.n_images = n_images
        self.known: list[int] = []  # what the host knows of those in the network: run and image
        self.first: dict[int, int] = {}  # success of each image
        count = attack.iterations
        self.window = max(int(0.22 * count), 1)
        self.shortest = max(int(0.06 * count), 1)
        self.decrement = max(int(0.03 * count), 1)
        self.since_check = 0

    def descend(
        self, rows: Tensor, clean: Tensor, labels: Tensor, targets: Tensor, starts: Tensor
    ) -> None:
        """Record the images that succeed in `found`, and the iterations of all of them."""
        self.known = list(range(len(rows)))
        zeros = torch.zeros(len(rows), dtype=clean.dtype, device=clean.device)
        steps = torch.full_like(zeros, 2 * self.attack.ball.radius)[:, None, None, None]
        history = zeros[:, None].repeat(1, self.attack.iterations + 1).double()
        yes = torch.ones_like(rows, dtype=torch.bool)
        state = _State(
            *(rows, clean, labels, targets, starts, starts, steps, starts, ~yes),
            *(history, starts, zeros, starts, zeros, yes),
        )
        losses = self._evaluate(state, 0)
        self.found.watch.compare(state.rows, torch.zeros_like(losses, dtype=torch.bool), True)
        state.best_losses = state.checked_losses = losses
        state.best_gradients = state.gradients
        for step in range(1, self.attack.iterations + 1):
            if not len(state.rows):
                return
            self._move(state, 1.0 if step == 1 else _MOMENTUM)
            losses = self._evaluate(state, step)
            self._remember(state, losses, step)
            self._check(state, step)
        self.found.iterations[state.rows] += self.attack.iterations

    def _evaluate(self, state: _State, step: int) -> Tensor:
        """Losses at the iterates of the images that are not done; sets their gradients."""

        nan, bad = [0] * len(state.rows), [0] * len(state.rows)

        def objective(logits: Tensor, places: slice) -> tuple[Tensor, list[bool]]:
            labels = state.labels[places]
            losses = self.attack.loss(logits, labels, state.targets[places])
            found = logits.detach()
            right, nan[places], bad[places] = to_host(
                found.argmax(1) == labels, found.isnan().any(1), state.bad_gradients[places]
            )
            return losses, [bool(left) for left in right]

        more = step < self.attack.iterations
        passed = self.passes.gradients(state.iterates, objective, backward=more)
        if any(bad):  # of the step before, that was not waited for
            refuse_bad_gradients(state.bad_gradients, state.rows, len(self.images), step - 1)
        if any(nan):
            refuse_nan(passed.logits, state.rows, len(self.images), step)
        state.gradients, losses = passed.gradients, passed.values
        if not all(passed.wanted):
            count, device = len(state.rows), state.rows.device
            done = [place for place, wanted in enumerate(passed.wanted) if not wanted]
            left = [place for place, wanted in enumerate(passed.wanted) if wanted]
            self._enter(state, passed.logits, rows_at(done, count, device), step)
            at = rows_at(self._needed(left, done), count, device)
            state.keep(at)
            losses = losses[at]
        if more:
            watch = self.found.watch
            state.bad_gradients = watch.see(state.rows, state.gradients, step == 0)
        return losses

    def _needed(self, left: list[int], done: list[int]) -> list[int]:
        """Of the places of runs that go on, those of runs that follow no success of their image."""
        for run in (self.known[place] for place in done):
            image = run % self.n_images
            self.first[image] = min(run, self.first.get(image, run))

        def is_needed(place: int) -> bool:
            run = self.known[place]
            return run < self.first.get(run % self.n_images, run + 1)

        needed = [place for place in left if is_needed(place)]
        self.known = [self.known[place] for place in needed]
        return needed

    def _enter(self, state: _State, logits: Tensor, done: Tensor | slice, step: int) -> None:
        """Record the images at these places as successes."""
        rows = state.rows[done]
        self.found.images[rows] = state.iterates[done]
        self.found.succeeded.index_fill_(0, rows, True)  # an assignment would wait for the device
        self.found.iterations[rows] += step
        entropy = F.cross_entropy(logits[done], state.labels[done], reduction="none")
        self.found.losses[rows] = entropy.to(self.found.losses)

    def _move(self, state: _State, share: float) -> None:
        ball = self.attack.ball
        now, before = state.iterates, state.previous
        stepped = now + state.step_sizes * ball.direction(state.gradients)
        stepped = _inside(ball.project(stepped - state.clean), state.clean)
        moved = now + (stepped - now) * share + (now - before) * (1 - share)
        state.previous = now
        state.iterates = _inside(ball.project(moved - state.clean), state.clean)

    def _remember(self, state: _State, losses: Tensor, step: int) -> None:
        state.history[:, step] = losses
        higher = losses > state.best_losses
        self.found.watch.compare(state.rows, higher)
        pixels = higher[:, None, None, None]
        state.best = torch.where(pixels, state.iterates, state.best)
        state.best_gradients = torch.where(pixels, state.gradients, state.best_gradients)
        state.best_losses = torch.where(higher, losses, state.best_losses)

    def _check(self, state: _State, step: int) -> None:
        """At the end of a window: halve the step size where it did not help, and go back."""
        self.since_check += 1
        if self.since_check < self.window:
            return
        recent = state.history[:, step - self.window : step + 1]
        rises = (recent[:, 1:] > recent[:, :-1]).sum(1)
        stalls = ~state.reduced & (state.checked_losses >= state.best_losses)
        reduce = (rises <= self.window * _RISES) | stalls
        pixels = reduce[:, None, None, None]
        state.step_sizes = torch.where(pixels, state.step_sizes / 2, state.step_sizes)
        state.iterates = torch.where(pixels, state.best, state.iterates)
        state.gradients = torch.where(pixels, state.best_gradients, state.gradients)
        state.reduced = reduce
        state.checked_losses = state.best_losses
        self.since_check = 0
        self.window = max(self.window - self.decrement, self.shortest)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _inside(offsets: Tensor, clean: Tensor) -> Tensor:
    return (clean + offsets).clamp(0, 1)
