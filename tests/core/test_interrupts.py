"""Ctrl-C waits for what must not be left half done."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from oodbench.core.interrupts import Interrupts


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def whole(interrupts: Interrupts, done: list[str]) -> None:
    with interrupts.held():
        interrupt()
        interrupt()
        done.append("whole")
    done.append("never")


def at_once(done: list[str]) -> None:
    interrupt()
    done.append("never")


def failing(interrupts: Interrupts) -> None:
    with interrupts.held():
        interrupt()
        raise ValueError("of its own")


def test_it_waits_where_it_is_held_and_nowhere_else() -> None:
    done: list[str] = []
    with Interrupts() as interrupts:
        assert interrupts.held_back
        with pytest.raises(KeyboardInterrupt):
            whole(interrupts, done)
        with interrupts.held():
            done.append("no interrupt is left over")
        with pytest.raises(KeyboardInterrupt):
            at_once(done)
    assert done == ["whole", "no interrupt is left over"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_there_is_not_hidden_by_it() -> None:
    with Interrupts() as interrupts, pytest.raises(ValueError, match="of its own"):
        failing(interrupts)


def test_nothing_is_changed_in_other_threads_and_for_other_handlers() -> None:
    def entered() -> bool:
        with Interrupts() as interrupts, interrupts.held():
            return interrupts.held_back

    with ThreadPoolExecutor(1) as pool:
        assert not pool.submit(entered).result()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert not entered()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
