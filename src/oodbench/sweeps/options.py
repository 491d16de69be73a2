"""Options of Hydra that do not go together, or not with oodbench: refused before Hydra starts."""

from collections.abc import Mapping
from typing import Any

from oodbench.core.errors import ConfigError

_EXCLUSIVE = {
    "multirun": "-m",
    "cfg": "--cfg",
    "info": "--info",
    "run": "--run",
    "shell_completion": "--shell-completion",
}
"""By the names of Hydra's parser."""

_SHOWS_ONE_RUN = ("--cfg", "--info")
_NEEDS_CFG = ("resolve", "package")


def refuse_options(given: Mapping[str, Any]) -> None:
    """Hydra itself would end in a traceback, run the job all the same, or load a pickle.

    Args:
        given: the options of a command line, by the names of Hydra's parser.

    Raises:
        ConfigError: of options that exclude each other, stand alone, or would execute what a file
            holds.
    """
    if given["experimental_rerun"] is not None:
        raise ConfigError(
            "--experimental-rerun: not supported, because a pickle can run code of others: give "
            "the overrides again"
        )
    chosen = [option for name, option in _EXCLUSIVE.items() if given[name]]
    if len(chosen) > 1:
        said = f"{' and '.join(chosen)}: give one of them"
        if given["multirun"] and chosen[1] in _SHOWS_ONE_RUN:
            said += f"; {chosen[1]} shows a single run: leave out -m and give each key one value"
        raise ConfigError(said)
    if given["shell_completion"] and not given["overrides"]:
        raise ConfigError("--shell-completion: give install=bash, install=zsh or install=fish")
    for name in _NEEDS_CFG:
        if given[name] and not given["cfg"]:
            raise ConfigError(f"--{name}: only with --cfg job, which prints the config")
