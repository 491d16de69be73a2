"""Ctrl-C waits for what must not be left half done."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from oodbench.core.interrupts import Interrupts, Stopped, ended_by_signals


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def whole(interrupts: Interrupts, done: list[str]) -> None:
    with interrupts.held():
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

    def handler(*_: object) -> None:
        pass

    before = signal.signal(signal.SIGINT, handler)
    try:
        assert not entered()
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_a_shell_runs_in_the_background_is_ended_as_well() -> None:
    """There Ctrl-C is ignored, and stays so."""
    done: list[str] = []

    def ended(interrupts: Interrupts) -> None:
        with interrupts.held():
            interrupt()
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("whole")

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts, pytest.raises(Stopped, match="SIGTERM"):
            ended(interrupts)
        assert done == ["whole"]
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_second_one_waits_for_nothing() -> None:
    done: list[str] = []

    def twice(interrupts: Interrupts) -> None:
        with interrupts.held():
            interrupt()
            done.append("first")
            interrupt()
            done.append("never")

    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            twice(interrupts)
        assert interrupts.at_once
    assert done == ["first"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_signals_of_a_batch_system_wait_too(number: signal.Signals) -> None:
    done: list[str] = []

    def ended(interrupts: Interrupts) -> None:
        with interrupts.held():
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            done.append("whole")
        done.append("never")

    with Interrupts() as interrupts, pytest.raises(Stopped, match=number.name) as stopped:
        ended(interrupts)
    assert done == ["whole"]
    assert stopped.value.number == number
    assert signal.getsignal(number) == signal.SIG_DFL


def test_the_handler_of_a_launcher_is_called_after_it() -> None:
    done: list[str] = []
    before = signal.signal(signal.SIGUSR2, lambda *_: done.append("queued again"))
    try:
        with Interrupts() as interrupts, interrupts.held():
            os.kill(os.getpid(), signal.SIGUSR2)
            done.append("whole")
        assert done == ["whole", "queued again"]
    finally:
        signal.signal(signal.SIGUSR2, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_they_end_what_holds_nothing_at_once(number: signal.Signals) -> None:
    def ended() -> None:
        with ended_by_signals(), Interrupts() as interrupts:
            with interrupts.held():
                pass
            os.kill(os.getpid(), number)

    with pytest.raises(Stopped, match=number.name):
        ended()
    with pytest.raises(Stopped, match=number.name), ended_by_signals():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_signal_that_comes_twice_disturbs_no_ending() -> None:
    done: list[str] = []

    def ended() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("closed")

    with pytest.raises(Stopped), ended_by_signals():
        ended()
    assert done == ["closed"]


def test_but_a_handler_that_is_there_stays() -> None:
    done: list[str] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: done.append("queued again"))
    try:
        with ended_by_signals():
            os.kill(os.getpid(), signal.SIGUSR1)
        assert done == ["queued again"]
    finally:
        signal.signal(signal.SIGUSR1, before)
