"""Ctrl-C and the signals of batch systems at moments when nothing is half done."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Ctrl-C, and what SLURM sends before a job's time is over or it is taken off its node."""

_ENDING = (signal.SIGTERM, signal.SIGUSR1)
"""Those that end a process unasked, and here end it as Ctrl-C does."""


_TWICE = 1.0
"""Seconds."""


class Stopped(KeyboardInterrupt):
    """A batch system ends the process.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGUSR1, where nobody has a handler, raise `Stopped` here.

    For the main thread. So what is open is closed, and others hear that nobody goes on with it. A
    process may get a signal twice, from a batch system and from the process that started it: what
    comes within `_TWICE` seconds does not disturb the ending.
    """
    last = -math.inf

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before >= _TWICE:
            raise Stopped(number)

    ours = [number for number in _ENDING if signal.getsignal(number) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


class Interrupts:
    """Signals interrupt at once, but where they are held: there they wait for the end.

    A second Ctrl-C waits for nothing. SIGTERM and SIGUSR1, where nobody else has a handler, raise
    `Stopped`; other handlers, such as submitit's, which has the job queued again, are called. A
    context manager, which puts the handlers that were there back at its end.

    Attributes:
        held_back: whether signals can be held: in the main thread, where Python's own handler of
            Ctrl-C is in use, or Ctrl-C is ignored, as in what a shell runs in the background.
            Elsewhere nothing is changed.
        at_once: a second Ctrl-C came, in the middle of what should have been done whole.
    """

    def __init__(self) -> None:
        self.held_back = self.at_once = False
        self._holding = False
        self._came: int | None = None
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> "Interrupts":
        usual = signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_IGN)
        if usual and threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                before = signal.getsignal(number)
                if callable(before) or (before == signal.SIG_DFL and number in _ENDING):
                    self._before[number] = before
                    signal.signal(number, self._handle)
            self.held_back = True
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    @contextmanager
    def held(self) -> Iterator[None]:
        """What is done here is done whole; a signal meanwhile has its effect after it."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._came is not None:
            number, self._came = self._came, None
            self._take_effect(number, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._holding:
            self._take_effect(number, frame)
        elif number == self._came == signal.SIGINT:
            self.at_once = True
            self._take_effect(number, frame)
        else:
            self._came = number

    def _take_effect(self, number: int, frame: FrameType | None) -> None:
        before = self._before[number]
        if callable(before):
            before(number, frame)
        else:
            raise Stopped(number)
