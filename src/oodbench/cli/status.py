"""`oodbench-status`: how far a sweep is, from its files alone."""

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from oodbench.cli.arguments import add_json, add_output_root, add_version, print_json
from oodbench.core.command import as_command
from oodbench.core.errors import DataError
from oodbench.runs.paths import nested_roots, sweeps_directory
from oodbench.sweeps.standing.definition import Sweep, kept_sweeps
from oodbench.sweeps.standing.job_file import RUNNING
from oodbench.sweeps.standing.retry import commands
from oodbench.sweeps.standing.standing import (
    FAILED,
    UNFINISHED,
    Standing,
    standings,
)
from oodbench.sweeps.standing.text import headline, text_of

_CLEAR = "\033[H\033[2J"
_EVERY = 5.0
_EPILOG = """\
  oodbench-status --watch               until nothing runs any more
  oodbench-status --retry               commands for what failed, stopped, was lost or is missing
  oodbench-status --failed --retry      for what failed alone
"""


@as_command("")
def main(arguments: list[str] | None = None) -> int:
    """Print where the jobs of a sweep stand.

    Args:
        arguments: command line without the program's name; `sys.argv` by default.

    Returns:
        Exit code: 0; 1 where jobs failed, stopped, were lost or are missing, and after an error
        that the user can fix, such as no sweep. Wrong arguments exit with 2, as argparse does.
    """
    chosen = argument_parser().parse_args(arguments)
    sweeps = kept_sweeps(chosen.output_root)
    if chosen.list:
        for sweep in sweeps:
            print(headline(sweep, standings(chosen.output_root, sweep)))
        return 0
    sweep = _chosen(sweeps, chosen.sweep, chosen.output_root)
    found = standings(chosen.output_root, sweep)
    while chosen.watch is not None and any(job.state == RUNNING for job in found):
        start = _CLEAR if sys.stdout.isatty() else ""
        print(f"{start}{text_of(sweep, found)}", flush=True)
        time.sleep(chosen.watch)
        found = standings(chosen.output_root, sweep)
    if chosen.json is not None:
        print_json(chosen.json, {"sweep": sweep.identity, "jobs": [asdict(job) for job in found]})
    if chosen.json != Path("-"):
        _print(sweep, found, chosen)
    return int(any(job.state in UNFINISHED for job in found))


def argument_parser() -> argparse.ArgumentParser:
    """The options of the command, without parsing any."""
    parser = argparse.ArgumentParser(
        prog="oodbench-status",
        description="How far a sweep is: done, running, failed, lost and missing jobs, from disk "
        "alone, whatever launched them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(parser)
    add_output_root(parser)
    parser.add_argument(
        "--sweep", metavar="ID", help="first digits of a sweep (default: the last one launched)"
    )
    parser.add_argument("--list", action="store_true", help="one line for each sweep")
    parser.add_argument(
        "--watch",
        type=float,
        nargs="?",
        const=_EVERY,
        metavar="SECONDS",
        help=f"show it again every so often (default: {_EVERY:g}) until nothing runs any more",
    )
    parser.add_argument("--all", action="store_true", help="name all jobs, not the first of each")
    parser.add_argument("--failed", action="store_true", help="only jobs that failed")
    parser.add_argument(
        "--retry",
        action="store_true",
        help="print the commands that run again what failed, was stopped or lost, or is missing",
    )
    add_json(parser, "also write all jobs there")
    return parser


def _print(sweep: Sweep, found: Sequence[Standing], chosen: argparse.Namespace) -> None:
    states = (FAILED,) if chosen.failed else UNFINISHED
    if chosen.retry:
        left = [job.overrides for job in found if job.state in states]
        lines = [shlex.join(["oodbench", *words]) for words in commands(sweep, left)]
        print("\n".join(lines) or "nothing is left to do")
        return
    shown = [job for job in found if job.state == FAILED] if chosen.failed else found
    print(text_of(sweep, shown, whole=chosen.all))


def _chosen(sweeps: Sequence[Sweep], identity: str | None, output_root: Path) -> Sweep:
    fitting = [sweep for sweep in sweeps if sweep.identity.startswith(identity or "")]
    if not fitting:
        named = f" that begins with {identity}" if identity else ""
        said = f"no sweep{named} below {sweeps_directory(output_root)}; run oodbench -m … first"
        others = [str(root) for root in nested_roots(output_root)]
        raise DataError(f"{said}, or give --output-root {' or '.join(others)}" if others else said)
    if identity and len(fitting) > 1:
        raise DataError(f"--sweep {identity}: {len(fitting)} sweeps begin so: give more digits")
    return fitting[0]


if __name__ == "__main__":
    sys.exit(main())
