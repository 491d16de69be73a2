"""`oodbench-data`: the data sets on disk; each subcommand is a pair of functions."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oodbench.cli import data_check, data_download, data_list, data_prepare
from oodbench.cli.arguments import add_version
from oodbench.core.command import as_command
from oodbench.core.errors import ConfigError
from oodbench.data.demo.build import build_demo
from oodbench.data.generation import imagenet_c, imagenet_p
from oodbench.data.generation.generate import GenerationPlan, Product, build
from oodbench.reference import SEVERITIES


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes:
        summary: one line for the list of subcommands.
        options: declares the options.
        run: does the work; its exit code, None for 0. Raises an `OodbenchError` where the user must
            fix something.
    """

    summary: str
    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int | None]


@as_command("interrupted: the same command goes on where it stopped")
def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: command line without the program's name; `sys.argv` by default.

    Returns:
        Exit code: 0; 1 after an error that the user can fix, and where `check` finds something
        wrong; 130 after Ctrl-C. Wrong arguments exit with 2, as argparse does.
    """
    chosen = argument_parser().parse_args(arguments)
    return COMMANDS[chosen.command].run(chosen) or 0


def corrupt_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `corrupt`."""
    _generation_options(parser)
    parser.add_argument(
        "--corruptions", nargs="+", metavar="NAME", help="by their published names (default: all)"
    )
    parser.add_argument(
        "--severities",
        nargs="+",
        type=int,
        default=list(SEVERITIES),
        choices=SEVERITIES,
        metavar="N",
        help="of 1 2 3 4 5 (default: all)",
    )


def run_corrupt(arguments: argparse.Namespace) -> None:
    """Make the corrupted pictures."""
    cells = imagenet_c.cells(arguments.corruptions, arguments.severities)
    _generate(arguments, imagenet_c.PRODUCT, cells)


def perturb_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `perturb`."""
    _generation_options(parser)
    parser.add_argument(
        "--perturbations", nargs="+", metavar="NAME", help="by their published names (default: all)"
    )


def run_perturb(arguments: argparse.Namespace) -> None:
    """Make the clips."""
    _generate(arguments, imagenet_p.PRODUCT, imagenet_p.cells(arguments.perturbations))


def demo_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `demo`."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo-data"),
        metavar="DIR",
        help="an empty or new folder, or one made by an earlier run, which is continued "
        "(default: %(default)s; 16 MB)",
    )


def run_demo(arguments: argparse.Namespace) -> None:
    """Make the demo data."""
    build_demo(arguments.out)


COMMANDS = {
    "check": Command(data_check.SUMMARY, data_check.options, data_check.run),
    "corrupt": Command(
        "make ImageNet-C from ImageNet's validation pictures: 19 corruptions, 5 severities",
        corrupt_options,
        run_corrupt,
    ),
    "demo": Command(
        "make small versions of all the data sets from 20 pictures, to try everything out",
        demo_options,
        run_demo,
    ),
    "download": Command(data_download.SUMMARY, data_download.options, data_download.run),
    "list": Command(data_list.SUMMARY, data_list.options, data_list.run),
    "perturb": Command(
        "make ImageNet-P from ImageNet's validation pictures: clips of 14 perturbations",
        perturb_options,
        run_perturb,
    ),
    "prepare": Command(data_prepare.SUMMARY, data_prepare.options, data_prepare.run),
}


def _generation_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        type=Path,
        required=True,
        metavar="VAL",
        help="folder of the clean pictures, one folder per class, named by synset id",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="an empty or new folder, or one made by an earlier run, which is continued",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes; the files are the same for any number (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument(
        "--on-error",
        choices=["stop", "skip"],
        default="stop",
        help="what to do with a picture that cannot be read (default: %(default)s)",
    )


def _generate(arguments: argparse.Namespace, product: Product, cells: Sequence[str]) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if arguments.workers < 1:
        raise ConfigError(f"--workers {arguments.workers}: give 1 or more")
    build(
        product,
        GenerationPlan(
            source=arguments.source,
            out=arguments.out,
            cells=cells,
            seed=arguments.seed,
            workers=arguments.workers,
            skip_damaged=arguments.on_error == "skip",
        ),
    )


def argument_parser() -> argparse.ArgumentParser:
    """The options of the command, without parsing any."""
    parser = argparse.ArgumentParser(
        prog="oodbench-data", description="Make and look after the data sets that oodbench reads."
    )
    add_version(parser)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        command.options(
            subparsers.add_parser(name, help=command.summary, description=command.summary)
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
