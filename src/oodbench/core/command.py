"""How every command ends: what a user can mend is one line, and a closed pipe is no error."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import ParamSpec

from oodbench.core.errors import OodbenchError, failure_line, is_mendable, printable

INTERRUPTED = 130
CLOSED_PIPE = 141
"""What a shell reports of a program that the signals SIGINT and SIGPIPE have ended."""

_P = ParamSpec("_P")


def as_command(interrupted: str) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Decorate the function of a command, which returns its exit code.

    Args:
        interrupted: what is said after Ctrl-C: what is kept, and how to go on.

    Returns:
        A function whose exit code is also 1 after an error that the user can fix, 130 after Ctrl-C
        and 141 where whoever read the output has stopped, as in `oodbench-table | head`.
    """

    def decorated(main: Callable[_P, int]) -> Callable[_P, int]:
        @wraps(main)
        def ended(*args: _P.args, **kwargs: _P.kwargs) -> int:
            try:
                with quiet_pipe():
                    return main(*args, **kwargs)
            except KeyboardInterrupt:
                print(interrupted, file=sys.stderr)
                return INTERRUPTED
            except (OodbenchError, OSError) as error:
                if not is_mendable(error):
                    raise
                said = str(error) if isinstance(error, OodbenchError) else failure_line(error)
                print(f"error: {printable(said)}", file=sys.stderr)
                return 1

        return ended

    return decorated


@contextmanager
def without_collection() -> Iterator[None]:
    """Leave garbage in the block where it is: what makes many objects and ends is faster so."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def quiet_pipe() -> Iterator[None]:
    """Exit with 141 and without a word where nobody reads the output any more."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(CLOSED_PIPE)
