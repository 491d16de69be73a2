"""`oodbench-data download`: official archives, resumed and compared with published sums."""

import argparse
import logging
import shlex
import sys
from pathlib import Path

from oodbench.cli.arguments import data_root
from oodbench.cli.data_prepare import add_benchmark, named_data_set
from oodbench.core.errors import DataError
from oodbench.data.archives.fetch import fetch_archives
from oodbench.data.sets.facts import DataSet

SUMMARY = "download official archives, several at once, resumed, their sums compared"


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `download`."""
    add_benchmark(parser)
    parser.add_argument(
        "--to",
        dest="folder",
        type=Path,
        default=data_root() / "archives",
        metavar="ARCHIVES",
        help="folder of archives; each data set has its own in it (default: archives in "
        "OODBENCH_DATA_ROOT, or data/archives)",
    )
    parser.add_argument(
        "--optional", action="store_true", help="also archives that benchmarks do without"
    )


def run(arguments: argparse.Namespace) -> None:
    """Download the archives of a data set."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    data_set, benchmark = named_data_set(arguments.benchmark)
    name = benchmark or data_set.name
    _decline(data_set, name, arguments.folder)
    wanted = [
        archive
        for archive in data_set.archives
        if archive.url is not None and (arguments.optional or not archive.optional)
    ]
    if not wanted:
        raise DataError(f"{data_set.name}: no archives to download are known; {data_set.page}")
    fetch_archives(wanted, arguments.folder / data_set.name)
    print(f"next: {_preparing(name, arguments.folder)}")


def _decline(data_set: DataSet, name: str, folder: Path) -> None:
    if data_set.account is not None:
        raise DataError(
            f"{data_set.title} is not downloaded for you: {data_set.account}; "
            f"then: {_preparing(name, folder / data_set.name)}"
        )


def _preparing(name: str, folder: Path) -> str:
    return f"oodbench-data prepare {name} --from {shlex.quote(str(folder))}"
