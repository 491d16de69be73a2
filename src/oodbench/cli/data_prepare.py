"""`oodbench-data prepare`: from official archives to the folder that a benchmark reads."""

import argparse
import getpass
import logging
import os
import sys
from pathlib import Path

from oodbench.cli.arguments import data_root
from oodbench.core.errors import ConfigError, DataError
from oodbench.core.schema import shipped
from oodbench.core.shipped import shipped_benchmark
from oodbench.data.archives.placing import How
from oodbench.data.archives.prepare import prepare
from oodbench.data.archives.request import Request
from oodbench.data.sets.facts import DataSet, data_sets

SUMMARY = "unpack official archives, or sort a folder of pictures, into the folder of a benchmark"


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `prepare`."""
    add_benchmark(parser)
    parser.add_argument(
        "--from",
        dest="given",
        nargs="+",
        type=Path,
        required=True,
        metavar="ARCHIVES",
        help="the archives, a folder that holds them, or a folder of unpacked pictures",
    )
    add_root(parser)
    how = parser.add_mutually_exclusive_group()
    for name, says in (
        (How.COPY, "copy the files of a folder (default)"),
        (How.LINK, "link them: hard links, or symbolic ones to another file system"),
        (How.MOVE, "move them"),
    ):
        how.add_argument(
            f"--{name}", dest="how", action="store_const", const=name, default=How.COPY, help=says
        )
    parser.add_argument(
        "--no-verify",
        dest="verify",
        action="store_false",
        help="take archives whose size or sum is not the published one",
    )
    parser.add_argument(
        "--password-fd",
        type=int,
        metavar="N",
        help="file descriptor to read the password of an encrypted archive from, up to the first "
        "line break (default: asked for)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Prepare the data set."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    data_set, benchmark = named_data_set(arguments.benchmark)
    prepare(
        Request(
            data_set=data_set,
            given=arguments.given,
            root=arguments.root,
            how=arguments.how,
            verify=arguments.verify,
            password=lambda: _password(arguments.password_fd, data_set.name),
            benchmark=benchmark,
        )
    )


def add_benchmark(parser: argparse.ArgumentParser) -> None:
    """The positional argument of `prepare` and `download`."""
    parser.add_argument("benchmark", metavar="BENCHMARK", help="a benchmark's or a data set's name")


def add_root(parser: argparse.ArgumentParser) -> None:
    """`--to`, with the default that runs have."""
    parser.add_argument(
        "--to",
        dest="root",
        type=Path,
        default=data_root(),
        metavar="ROOT",
        help="data.root of runs (default: OODBENCH_DATA_ROOT, or data)",
    )


def named_data_set(name: str) -> tuple[DataSet, str | None]:
    """The data set of a benchmark, or of its own name, and the benchmark to measure.

    Raises:
        ConfigError: no benchmark or data set is called so.
    """
    known = data_sets()
    of_benchmarks = {
        benchmark: str((shipped_benchmark(benchmark) or {}).get("dataset"))
        for benchmark in shipped("benchmark")
    }
    if of_benchmarks.get(name) in known:
        return known[of_benchmarks[name]], name
    if name in known:
        users = [benchmark for benchmark, of in of_benchmarks.items() if of == name]
        return known[name], min(users, key=len, default=None)
    available = ", ".join(sorted({*of_benchmarks, *known}))
    raise ConfigError(f"{name}: no such benchmark or data set; available: {available}")


def _password(descriptor: int | None, name: str) -> bytes:
    if descriptor is None:
        if not sys.stdin.isatty():
            raise DataError(f"{name}: the archive is encrypted: give --password-fd N")
        return getpass.getpass(f"Password of {name} (from its authors' page): ").encode()
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.readline().rstrip(b"\r\n")
    except OSError as error:
        raise ConfigError(f"--password-fd {descriptor}: {error.strerror}") from None
