"""Square Attack (Andriushchenko et al., ECCV 2020, arXiv:1912.00049): random search."""

import math

import torch
from torch import Tensor, nn

from oodbench.attacks.balls import ball
from oodbench.attacks.base import AttackResult, Norm, generator_of
from oodbench.attacks.checks import check_count, check_eps, check_norm, check_range, refuse_nan
from oodbench.attacks.folding import FoldedNetworks
from oodbench.attacks.frozen import frozen
from oodbench.attacks.loop import MICRO_BATCH
from oodbench.attacks.margins import margins
from oodbench.errors import ConfigError

_SCHEDULE = (
    *((10, 1), (50, 2), (200, 4), (500, 8), (1000, 16)),
    *((2000, 32), (4000, 64), (6000, 128), (8000, 256)),
)
_LAST_DIVISOR = 512
"""Up to which of 10,000 queries the area of a square is the first one divided by what."""


class Square:
    """The l_inf Square Attack on the margin between the label and the likeliest other class.

    It begins with vertical stripes of +-eps; a query changes one square by +-2 eps a channel,
    within the ball, and is kept where the margin falls. An image that is misclassified anyway is a
    success of 0 queries, every other one is done at its first misclassified query. As in the
    authors' code, but every image has its own places and colours, from its own seed, where they
    draw one of each for a whole batch.
    """

    def __init__(
        self,
        *,
        name: str,
        eps: float,
        norm: str = "linf",
        queries: int = 5000,
        first_area: float = 0.8,
        micro_batch: int = MICRO_BATCH,
    ) -> None:
        """Set up the attack.

        Args:
            name: for tables and folders.
            eps: radius in [0, 1] pixel units.
            norm: linf.
            queries: squares tried on an image, at least 1.
            first_area: share of the picture that the first square covers (p of the paper).
            micro_batch: images in the network at once.

        Raises:
            ConfigError: a value is out of range.
        """
        self.name = name
        self.norm: Norm = check_norm(norm, ("linf",))
        self.eps: float | None = check_eps(eps, self.norm)
        self.ball = ball(self.norm, self.eps)
        self.queries = check_count("attack.queries", queries)
        if not 0 < first_area <= 1:
            raise ConfigError(f"attack.first_area={first_area}: must be above 0 and at most 1")
        self.first_area = first_area
        self.micro_batch = check_count("attack.micro_batch", micro_batch)
        self._folded = FoldedNetworks()

    def __call__(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, seeds: list[int]
    ) -> AttackResult:
        """Attack a batch.

        Args:
            classifier: images in [0, 1] -> logits `(N, K)`. It is put into evaluation mode.
            images: float32 or float64 `(N, C, H, W)` in [0, 1].
            labels: int64 `(N,)` in 0..K - 1.
            seeds: one an image.

        Returns:
            The picture with the lowest margin. `iterations`: pictures tried until it was found, the
            stripes included, or all. `columns`: `attack_margin` float32, the label's logit minus
            the highest other one.

        Raises:
            ImageError: a pixel is outside [0, 1], or a logit NaN.
        """
        images = images.detach()
        check_range(images)
        generators = [generator_of(seed) for _, seed in zip(images, seeds, strict=True)]
        with frozen(classifier), torch.no_grad():
            network = self._folded.of(classifier, images[: self.micro_batch])
            search = _Search(self, network, images, labels, generators)
            everything = torch.arange(len(images), device=images.device)
            for rows in torch.split(everything, self.micro_batch):
                search.run(rows)
        return AttackResult(
            search.best,
            search.succeeded,
            search.iterations,
            {"attack_margin": search.margins.float()},
        )

    def side(self, query: int, shape: torch.Size) -> int:
        """Side in pixels of a square (section 3.2 of the paper), for pictures `(C, H, W)`."""
        of_ten_thousand = int(query / self.queries * 10_000)
        divisor = next((d for last, d in _SCHEDULE if of_ten_thousand <= last), _LAST_DIVISOR)
        area = self.first_area / divisor * shape[1] * shape[2]
        return max(round(math.sqrt(area)), 1)


class _Search:
    """The search on one batch; results as `(N, …)`."""

    def __init__(
        self,
        attack: Square,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        generators: list[torch.Generator],
    ) -> None:
        self.attack = attack
        self.network = network
        self.images = images
        self.labels = labels
        self.generators = generators
        self.best = images.clone()
        self.margins = torch.zeros(len(images), dtype=images.dtype, device=images.device)
        self.succeeded = torch.zeros_like(labels, dtype=torch.bool)
        self.iterations = torch.zeros_like(labels)

    def run(self, rows: Tensor) -> None:
        """All queries of the images at `rows`."""
        clean = self.images[rows]
        self._try(rows, clean, 0, always=True)
        rows = rows[~self.succeeded[rows]]
        if len(rows):
            stripes = torch.stack([self._stripes(row) for row in rows.tolist()])
            self._try(rows, self._within(self.images[rows] + stripes, rows), 1, always=True)
        for query in range(self.attack.queries):
            rows = rows[~self.succeeded[rows]]
            if not len(rows):
                return
            side = self.attack.side(query, self.images.shape[1:])
            changes = torch.stack([self._square(row, side) for row in rows.tolist()])
            self._try(rows, self._within(self.best[rows] + changes, rows), query + 2)

    def _try(self, rows: Tensor, candidates: Tensor, query: int, *, always: bool = False) -> None:
        """Take the candidates whose margin is lower, or that are misclassified."""
        labels = self.labels[rows]
        logits = self.network(candidates)
        refuse_nan(logits, rows, len(self.images), query, "query")
        wrong = logits.argmax(1) != labels
        found = margins(logits, labels)
        taken = wrong | (found < self.margins[rows]) | always
        self.best[rows[taken]] = candidates[taken]
        self.margins[rows[taken]] = found[taken]
        self.succeeded[rows] = wrong
        self.iterations[rows] = query

    def _within(self, pictures: Tensor, rows: Tensor) -> Tensor:
        clean = self.images[rows]
        return (clean + self.attack.ball.project(pictures - clean)).clamp(0, 1)

    def _stripes(self, row: int) -> Tensor:
        channels, _, width = self.images.shape[1:]
        signs = self._signs(row, (channels, 1, width))
        return (self.attack.ball.radius * signs).expand(self.images.shape[1:])

    def _square(self, row: int, side: int) -> Tensor:
        channels, height, width = self.images.shape[1:]
        top, left = self._place(row, height - side), self._place(row, width - side)
        change = torch.zeros_like(self.images[row])
        signs = self._signs(row, (channels, 1, 1))
        change[:, top : top + side, left : left + side] = 2 * self.attack.ball.radius * signs
        return change

    def _place(self, row: int, beyond: int) -> int:
        return int(beyond * torch.rand(1, generator=self.generators[row]))

    def _signs(self, row: int, shape: tuple[int, ...]) -> Tensor:
        drawn = torch.rand(shape, generator=self.generators[row])
        return (2 * drawn - 1).sign().to(self.images)
