"""What the commands that Hydra starts do before it does."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from oodbench.core.command import quiet_pipe
from oodbench.core.errors import ConfigError
from oodbench.core.versions import version_text
from oodbench.sweeps.composing import register_all
from oodbench.sweeps.help import help_text
from oodbench.sweeps.jobs import (
    SweepLoader,
    given_config_dir,
    given_options,
    launch_with,
    options_with_values,
    report_with,
)
from oodbench.sweeps.launch_errors import report_in_one_line
from oodbench.sweeps.options import refuse_options

_SWEEP = ("-m", "--multirun")
_HYDRA_HELP = "--hydra-help"
_HOME = re.compile(r"(?P<key>[^=\s]+=)~(?=/|$)")


def prepare_launch(command: str, summary: str, primary: str, schema: type) -> None:
    """Configs known, errors in one line, `~` after `=` the home folder, options anywhere.

    `--version` and `--help` are answered here; the arguments are those of `help_text`. Options that
    exclude each other end the process with 2, as argparse does.
    """
    given = sys.argv[1:]
    asked = {"--help", "-h", "--version"} & set(given)
    with quiet_pipe():
        if "--version" in asked:
            print(version_text())
        elif asked:
            print(help_text(command, summary, primary, schema, given_config_dir(given)))
    if asked:
        sys.exit(0)
    register_all()
    launch_with(SweepLoader)
    report_with(report_in_one_line)
    # Hydra would look for the overrides among its own configs.
    sys.argv[1:] = [_HYDRA_HELP] if _HYDRA_HELP in given else options_first(with_home(given))
    try:
        refuse_options(given_options(sys.argv[1:]))
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def options_first(arguments: Sequence[str]) -> list[str]:
    """Options before the overrides, wherever they were given: argparse wants the latter together.

    `-m` comes first of all, so that it is no value of another option.
    """
    flags: list[str] = []
    overrides: list[str] = []
    rest = [text for text in arguments if text not in _SWEEP]
    with_values = options_with_values()
    while rest:
        text = rest.pop(0)
        is_option = text.startswith("-")
        (flags if is_option else overrides).append(text)
        may_be_left_out = with_values.get(text)
        if may_be_left_out is not None and rest and not (may_be_left_out and "=" in rest[0]):
            flags.append(rest.pop(0))
    return [*(text for text in arguments if text in _SWEEP), *flags, *overrides]


def with_home(arguments: Sequence[str]) -> list[str]:
    """The overrides with the home folder for `~`, which no shell fills in after `=`."""
    home = str(Path.home())
    return [_HOME.sub(lambda found: found["key"] + home, text, count=1) for text in arguments]
