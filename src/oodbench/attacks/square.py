"""Square Attack (Andriushchenko et al., ECCV 2020, arXiv:1912.00049): random search."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from oodbench.attacks.balls import ball
from oodbench.attacks.base import AttackResult, Norm, generators_of
from oodbench.attacks.checks import check_count, check_eps, check_norm, refuse_nan
from oodbench.attacks.goals import margins
from oodbench.attacks.host import rows_at, to_host
from oodbench.attacks.memory import MemoryBudget
from oodbench.attacks.network_access import NetworkAccess, Passes
from oodbench.attacks.squares import squares
from oodbench.core.errors import ConfigError

_SCHEDULE = (
    *((10, 1), (50, 2), (200, 4), (500, 8), (1000, 16)),
    *((2000, 32), (4000, 64), (6000, 128), (8000, 256)),
)
_LAST_DIVISOR = 512
"""Up to which of 10,000 queries the area of a square is the first one divided by what."""

_STATE = 5
"""Tensors of an image's size that the search keeps for each image, temporary ones included."""


class Square:
    """The Square Attack on the margin between the label and the likeliest other class.

    It begins with vertical stripes of +-eps (`linf`) or a grid of pyramids (`l2`); a query changes
    one square within the ball, see `oodbench.attacks.squares`, and is kept where the margin falls.
    An image that is misclassified anyway is a success of 0 queries, every other one is done at its
    first misclassified query. As in the authors' code, but every image has its own places and
    colours, from its own seed, where they draw one of each for a whole batch.
    """

    needs_gradients = False
    splits_batches = True
    steps_key = "queries"

    def __init__(
        self,
        *,
        name: str,
        eps: float,
        norm: str = "linf",
        queries: int = 5000,
        first_area: float = 0.8,
        rescale_schedule: bool = True,
        micro_batch: int | None = None,
        memory: MemoryBudget = None,
    ) -> None:
        """Choose the ball, and how many squares to try.

        Args:
            name: for tables and folders.
            eps: radius in [0, 1] pixel units.
            norm: linf or l2.
            queries: squares tried on an image, at least 1.
            first_area: share of the picture that the first square covers (p of the paper).
            rescale_schedule: the squares shrink as much over these queries as over the 10,000 of
                the paper; otherwise as in the first ones of those.
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
        self.squares = squares(self.norm, self.eps)
        self.queries = check_count("attack.queries", queries)
        if not 0 < first_area <= 1:
            raise ConfigError(f"attack.first_area={first_area}: must be above 0 and at most 1")
        self.first_area = first_area
        self.rescale_schedule = rescale_schedule
        self.access = NetworkAccess(micro_batch, memory, gradients=False, state=_STATE)

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
            The picture with the lowest margin. `iterations`: pictures tried until it was found, the
            first pattern included, or all. `columns`: `attack_margin` float32, the label's logit
            minus the highest other one.

        Raises:
            ImageError: a pixel is outside [0, 1], or a logit NaN.
        """
        images = images.detach()
        generators = generators_of(images, seeds)
        with self.access.open(classifier, images) as passes:
            search = _Search(self, passes, images, labels, generators)
            clean = passes.clean_logits(images, clean_logits)
            for rows in passes.groups(images):
                search.run(rows, clean[rows])
        return AttackResult(
            search.best,
            search.succeeded,
            search.iterations,
            {"attack_margin": search.margins.float()},
        )

    def side(self, query: int, shape: torch.Size) -> int:
        """Side in pixels of a square (section 3.2 of the paper), for pictures `(C, H, W)`."""
        of_ten_thousand = int(query / self.queries * 10_000) if self.rescale_schedule else query
        divisor = next((d for last, d in _SCHEDULE if of_ten_thousand <= last), _LAST_DIVISOR)
        _, height, width = shape
        return self.squares.side(self.first_area / divisor * height * width, height, width)


@dataclass(frozen=True)
class _Left:
    """Images that resist: positions for the host, on the device `(k,)`, clean and best so far."""

    positions: list[int]
    rows: Tensor
    clean: Tensor
    best: Tensor


class _Search:
    """The search on one batch; results as `(N, …)`."""

    def __init__(
        self,
        attack: Square,
        passes: Passes,
        images: Tensor,
        labels: Tensor,
        generators: list[torch.Generator],
    ) -> None:
        self.attack = attack
        self.passes = passes
        self.images = images
        self.labels = labels
        self.generators = generators
        self.best = images.clone()
        # The logits may be finer than the pictures.
        self.margins = torch.zeros(len(images), dtype=torch.float64, device=images.device)
        self.succeeded = torch.zeros_like(labels, dtype=torch.bool)
        self.iterations = torch.zeros_like(labels)

    def run(self, rows: Tensor, logits: Tensor) -> None:
        """All queries of the images at `rows`, of which these are the clean logits `(k, K)`."""
        clean, proposals = self.images[rows], self.attack.squares
        left = _Left(rows.tolist(), rows, clean, clean.clone())
        left, _ = self._take(left, clean, logits, 0, always=True)
        if left.positions:
            first = proposals.first(left.clean, self._generators(left))
            first = self._within(left.clean, first)
            left, _ = self._take(left, first, self.passes.logits(first), 1, always=True)
        query = 0
        while left.positions and query < self.attack.queries:
            left, tried = self._search(left, query)
            query += tried
        self.best[left.rows] = left.best

    def _search(self, left: _Left, query: int) -> tuple[_Left, int]:
        """Try a square on every image, and in the same pass as many later ones as there is room
        for, which are the next ones as long as none before them is taken.

        Returns:
            Those that are not misclassified, and how many queries were made of each.
        """
        times, generators = self._at_once(left, query), self._generators(left)
        before: list[Tensor] = []
        drawing = generators if times == 1 else _noted(generators * times, before)
        clean, best = (_repeated(pictures, times) for pictures in (left.clean, left.best))
        side = self.attack.side(query, self.images.shape[1:])
        offsets = self.attack.squares.changed(best - clean, side, drawing)
        candidates = self._within(clean, offsets)
        found, tried = self._take(left, candidates, self.passes.logits(candidates), query + 2)
        if tried < times:  # what comes next is drawn again
            count = len(generators)
            for generator, state in zip(generators, before[tried * count :], strict=False):
                generator.set_state(state)
        return found, tried

    def _at_once(self, left: _Left, query: int) -> int:
        """How many queries of every image go into a pass."""
        count = len(left.positions)
        most = min(self.passes.room(count) // count, self.attack.queries - query)
        shape = self.images.shape[1:]
        side = self.attack.side(query, shape)
        later = range(1, most)
        return next((n for n in later if self.attack.side(query + n, shape) != side), max(most, 1))

    def _generators(self, left: _Left) -> list[torch.Generator]:
        return [self.generators[position] for position in left.positions]

    def _within(self, clean: Tensor, offsets: Tensor) -> Tensor:
        return (clean + self.attack.ball.project(offsets)).clamp(0, 1)

    def _take(
        self, left: _Left, candidates: Tensor, logits: Tensor, query: int, *, always: bool = False
    ) -> tuple[_Left, int]:
        """Take the candidates whose margin is lower, or that are misclassified.

        Args:
            left: k images.
            candidates: `(t * k, C, H, W)`, one of each image for every one of t queries.
            logits: of the candidates.
            query: number of the first one.
            always: take them in any case.

        Returns:
            Those that are not misclassified, and the number of queries up to the first one in which
            a candidate was taken, or t. The later ones are not looked at: they were made for images
            that have changed.
        """
        count, times = len(left.positions), len(candidates) // len(left.positions)
        labels, before = self.labels[left.rows], self.margins[left.rows]
        labels, before = _repeated(labels, times), _repeated(before, times)
        found = margins(logits, labels).double()
        wrong = logits.argmax(1) != labels
        lower = wrong | (found < before) | always
        done, taken, nan = to_host(wrong, lower, logits.isnan().any(1))
        places = (place for place in range(len(taken)) if taken[place] or nan[place])
        last = next(places, len(taken) - 1) // count
        at_last = slice(last * count, (last + 1) * count)
        if any(nan[at_last]):
            refuse_nan(logits[at_last], left.rows, len(self.images), query + last, "query")
        self.margins[left.rows] = torch.where(lower, found, before)[at_last]
        self.succeeded[left.rows] = wrong[at_last]
        # An assignment would wait for the device.
        self.iterations.index_fill_(0, left.rows, query + last)
        at = self._at(left, taken[at_last])
        left.best[at] = candidates[at_last][at]
        return self._without(left, done[at_last]), last + 1

    def _without(self, left: _Left, done: Sequence[int]) -> _Left:
        """Those that are not done; of the others the best is kept."""
        if not any(done):
            return left
        at = self._at(left, done)
        self.best[left.rows[at]] = left.best[at]
        at = self._at(left, [not each for each in done])
        positions = [place for place, each in zip(left.positions, done, strict=True) if not each]
        return _Left(positions, left.rows[at], left.clean[at], left.best[at])

    def _at(self, left: _Left, marked: Sequence[int]) -> Tensor | slice:
        places = [place for place, mark in enumerate(marked) if mark]
        return rows_at(places, len(marked), left.rows.device)


def _repeated(values: Tensor, times: int) -> Tensor:
    """All of them so many times, one time after the other."""
    return values if times == 1 else values.repeat(times, *[1] * (values.ndim - 1))


def _noted(
    generators: Iterable[torch.Generator], states: list[Tensor]
) -> Iterator[torch.Generator]:
    """The generators, whose states before what is drawn from each are appended to a list."""
    for generator in generators:
        states.append(generator.get_state())
        yield generator
