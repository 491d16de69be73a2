"""Progress of a run: a bar on a terminal, an occasional plain line elsewhere."""

import logging
import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Counts items; a context manager.

    Args:
        total: items to do.
        label: what is being done.
        unit: what one item is called.
    """

    def __init__(self, total: int, label: str, unit: str = "picture") -> None:
        self._bar = tqdm(
            total=total, desc=label, unit=unit, disable=not sys.stderr.isatty(), leave=False
        )
        self._total = total
        self._label = label
        self._unit = unit
        self._done = 0
        self._start = self._last = time.monotonic()

    def advance(self, n: int) -> None:
        """Count `n` more items as done."""
        self._done += n
        self._bar.update(n)
        now = time.monotonic()
        if self._bar.disable and now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            rate = self._done / (now - self._start)
            left = (self._total - self._done) / rate
            log.info(
                "%s: %d of %d %ss, %.1f a second, %d s left",
                *(self._label, self._done, self._total, self._unit, rate, left),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()
