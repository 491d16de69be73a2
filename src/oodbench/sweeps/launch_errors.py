"""What Hydra refuses before any job starts, in one line that a user can act on."""

import errno
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from oodbench.core.checking import alternatives
from oodbench.core.errors import one_line
from oodbench.core.extras import install_extra

FULL = "HYDRA_FULL_ERROR"
"""Environment variable of Hydra: 1 shows the traceback."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_PRIMARY = "leave out --config-name and --config-path; --config-dir DIR adds configs of your own"
_LAUNCHER = "hydra/launcher"
_EXTRAS = {"joblib": "joblib", "ray": "ray", "submitit_local": "slurm", "submitit_slurm": "slurm"}
"""By the config that Hydra's plugin brings."""

_SEVERAL = re.compile(
    r"(?:Ambiguous value for argument|Sweep parameters) '(.*?)'(?: 1\. To use it| requires --multi)"
)
_ASKS_FOR_A_SWEEP = (
    "several values make a sweep: add -m; one value that is a list is KEY=[A,B], one that has a "
    "comma 'KEY=\"A,B\"'"
)
_APPEND = re.compile(r"To append to your (config|default list) use \+\S+ ?")
_PREFIX = re.compile(r"^Error merging override ")


def launch_line(error: BaseException) -> str:
    """The reason, with the key and how to mend it."""
    for cause in _chain(error):
        if isinstance(cause, MissingConfigException):
            return _missing_config(cause)
        if isinstance(cause, ConfigAttributeError | ConfigKeyError):
            return _unknown_key(cause)
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override}: cannot be parsed ({one_line(error, 120)}): an override is "
            "KEY=VALUE; quote a value with special characters twice: 'KEY=\"VALUE\"'"
        )
    if isinstance(error, OSError):
        mend = "make room, or " if error.errno in _FULL else ""
        return (
            f"no folder for the logs: {one_line(error)}: {mend}set output_root to a folder that "
            "can be written"
        )
    return _of_library(error)


def report_in_one_line(function: Callable[[], Any]) -> Any:
    """Stands in for Hydra's function of the same use, which prints tracebacks and several lines."""
    try:
        return function()
    except Exception as error:
        if os.environ.get(FULL) == "1" or isinstance(error, BrokenPipeError):
            raise
        print(f"error: {launch_line(error)}", file=sys.stderr)
        sys.exit(1)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__


def _missing_config(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    if group == _LAUNCHER and name in _EXTRAS:
        return f"{group}={name}: not installed: {install_extra(_EXTRAS[name])}"
    if error.options:
        return f"{group}={name}: {alternatives(name, error.options)}"
    said = one_line(error).partition(" Config search path:")[0].strip()
    if "rimary config" in said:
        return f"{said.partition('. Check')[0]}: {_NO_PRIMARY}"
    return f"{said.rstrip('.')}: no such config"


def _unknown_key(error: ConfigAttributeError | ConfigKeyError) -> str:
    key = str(error.full_key or error.key)
    parent = error.parent_node
    known = sorted(map(str, parent.keys())) if isinstance(parent, DictConfig) else []
    if not known:
        return f"unknown key {key}: {_of_library(error)}"
    more = f"; a further argument: +{key}=VALUE" if error.object_type is dict else ""
    return f"unknown key {key}: {alternatives(key.rpartition('.')[2], known)}{more}"


def _of_library(error: BaseException) -> str:
    """What the library says, without its advice, with the reason that it came from."""
    if found := _SEVERAL.match(one_line(error)):
        return f"{found[1]}: {_ASKS_FOR_A_SWEEP}"
    said = _PREFIX.sub("", _APPEND.sub("", one_line(error)))
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException) and cause.msg:
        said = f"{said}: {str(cause.msg).splitlines()[0]}"
    if "could not be converted" in said and "None" in said:
        said = f"{said}: no value is null"
    return said.strip()
