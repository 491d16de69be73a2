"""A command called as a function, with all that a process of its own would keep to itself.

Starting Python and importing torch takes seconds; a call takes what the command takes. Tests of
what only a process can do (signals, kills, imports, entry points) start one instead.
"""

import contextlib
import importlib
import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from oodbench.core.own_code import identity
from oodbench.data.containers import opened
from oodbench.evaluation import assemble, pixel_cache
from oodbench.runs.naming import own_evaluation
from oodbench.sweeps.outcomes import RememberLaunch

Main = Callable[[], int | None]


def call(
    main: Main, arguments: Sequence[str], *, folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """What `python -m …` gives in a folder that is on its path, with one thread.

    Args:
        main: the command; its arguments come from `sys.argv`.
        folder: working directory. Modules imported from it are forgotten afterwards.
        variables: of the environment.
    """
    line = [main.__module__, *arguments]
    out, err = io.StringIO(), io.StringIO()
    with (
        _own_state(folder, variables),
        _attribute(sys, "argv", line),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = _exit_code(main)
        # Before the handlers are closed, and with them what they write into.
        return subprocess.CompletedProcess(line, code, out.getvalue(), err.getvalue())


def _exit_code(main: Main) -> int:
    """As the interpreter takes it from what `main` returns or raises."""
    try:
        code = main()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return ended.code or 0
    return code or 0


@contextlib.contextmanager
def _own_state(folder: Path, variables: dict[str, str]) -> Iterator[None]:
    environment, threads = dict(os.environ), torch.get_num_threads()
    _forget()
    with (
        contextlib.chdir(folder),
        _modules_of(folder),
        _logging_as_before(),
        torch.random.fork_rng(devices=[]),
    ):
        os.environ.update(variables)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(environment)
            torch.set_num_threads(threads)
            _forget()


def _forget() -> None:
    """What the package remembers for as long as a process lives."""
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None
    RememberLaunch.directory, RememberLaunch.multirun = None, False
    assemble._last.clear()
    pixel_cache._warned.clear()
    own_evaluation._said.clear()
    identity._seen.clear()
    opened.forget()


@contextlib.contextmanager
def _attribute(owner: object, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def _modules_of(folder: Path) -> Iterator[None]:
    """The folder is on the path; the next test's module of the same name is another one."""
    for path in folder.glob("*.py"):  # another test may have imported its own
        sys.modules.pop(path.stem, None)
    with (
        _attribute(sys, "path", [str(folder), *sys.path]),
        # A file that is changed within a second must not be taken for what was compiled.
        _attribute(sys, "dont_write_bytecode", True),
    ):
        importlib.invalidate_caches()
        try:
            yield
        finally:
            for name, module in list(sys.modules.items()):
                if (getattr(module, "__file__", None) or "").startswith(f"{folder}{os.sep}"):
                    del sys.modules[name]


@contextlib.contextmanager
def _logging_as_before() -> Iterator[None]:
    """Hydra replaces the root logger's handlers, pytest's among them, and closes all there are.

    absl's handler, which comes with tensorboard, then closes the file of pytest's own output.
    """
    loggers = [logging.getLogger(name) for name in (None, "oodbench", "hydra")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    with _attribute(logging, "_handlerList", []), _attribute(logging, "_handlers", {}):
        try:
            yield
        finally:
            logging.shutdown(logging._handlerList)
            for logger, level, handlers in before:
                logger.setLevel(level)
                logger.handlers[:] = handlers
