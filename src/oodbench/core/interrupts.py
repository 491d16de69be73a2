"""Ctrl-C at moments when nothing is half done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Ctrl-C interrupts at once, but where it is held: there it waits for the end.

    A context manager, which puts the handler that was there back at its end.

    Attributes:
        held_back: whether Ctrl-C can be held: in the main thread, where Python's own handler is in
            use. Elsewhere nothing is changed.
    """

    def __init__(self) -> None:
        self.held_back = False
        self._holding = self._came = False

    def __enter__(self) -> "Interrupts":
        usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if usual and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._handle)
            self.held_back = True
        return self

    def __exit__(self, *_: object) -> None:
        if self.held_back:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """What is done here is done whole; a Ctrl-C meanwhile raises KeyboardInterrupt after it."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._came:
            self._came = False
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._holding:
            self._came = True
        else:
            signal.default_int_handler(number, frame)
