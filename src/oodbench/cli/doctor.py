"""`oodbench-doctor`: what this machine has, and what will work on it."""

import argparse
import sys
from pathlib import Path

from oodbench.cli.arguments import add_data_root, add_json, add_output_root, add_version, print_json
from oodbench.core.command import as_command
from oodbench.sweeps.machine.page import content_of, examined, text_of, wrong


@as_command("interrupted: the same command does it again")
def main(arguments: list[str] | None = None) -> int:
    """Print one page.

    Args:
        arguments: command line without the program's name; `sys.argv` by default.

    Returns:
        Exit code: 0, or 1 where something is wrong. Wrong arguments exit with 2, as argparse does.
    """
    chosen = argument_parser().parse_args(arguments)
    parts = examined(chosen.data_root, chosen.output_root, slow=chosen.all_engines)
    if chosen.json is not None:
        print_json(chosen.json, content_of(parts))
    if chosen.json != Path("-"):
        print(text_of(parts))
    return 1 if wrong(parts) else 0


def argument_parser() -> argparse.ArgumentParser:
    """The options of the command, without parsing any."""
    parser = argparse.ArgumentParser(
        prog="oodbench-doctor",
        description="What this machine has: packages, engines, devices, memory, disks, caches, "
        "data sets and weights; what works, what does not, and the command that mends it.",
    )
    add_version(parser)
    add_data_root(parser)
    add_output_root(parser)
    parser.add_argument(
        "--all-engines", action="store_true", help="try the engines too that take long to prepare"
    )
    add_json(parser, "also write everything there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
