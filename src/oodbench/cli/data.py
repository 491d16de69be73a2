"""`oodbench-data`: the data sets on disk. One subcommand a module of this package."""

import argparse
import sys
from typing import Protocol

from oodbench.core.errors import OodbenchError
from oodbench.data.demo import build as demo
from oodbench.data.generation import imagenet_c as corrupt
from oodbench.data.generation import imagenet_p as perturb


class Command(Protocol):
    """What a module must hold to be a subcommand."""

    @property
    def SUMMARY(self) -> str:  # noqa: N802 - a module constant
        """One line for the list of subcommands."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""

    def run(self, arguments: argparse.Namespace) -> None:
        """Do the work; raise an `OodbenchError` where the user must mend something."""


COMMANDS: dict[str, Command] = {"corrupt": corrupt, "demo": demo, "perturb": perturb}


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: command line without the program's name; `sys.argv` by default.

    Returns:
        Exit code: 0, 1 after an error that the user can mend, 130 after Ctrl-C. Wrong arguments
        exit with 2, as argparse does.
    """
    chosen = _parser().parse_args(arguments)
    try:
        COMMANDS[chosen.command].run(chosen)
    except OodbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on where it stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="oodbench-data", description="Make and look after the data sets that oodbench reads."
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        command.add_arguments(
            subparsers.add_parser(name, help=command.SUMMARY, description=command.SUMMARY)
        )
    return parser
