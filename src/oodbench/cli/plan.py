"""`oodbench-plan`: what a command line of `oodbench` would do, without doing it.

oodbench-plan experiment=published_table budget=2%
oodbench-plan -m 'model=resnet50,moco_v2' 'benchmark=glob(imagenet_v2*)' --no-calibration
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from oodbench.cli.arguments import add_json, add_version, print_json
from oodbench.core.command import as_command
from oodbench.sweeps.jobs import Launch


@as_command("interrupted")
def main(arguments: list[str] | None = None) -> int:
    """Print the forecast; nothing is downloaded, and no result is written.

    Args:
        arguments: command line without the program's name; `sys.argv` by default.

    Returns:
        Exit code: 0; 1 where data or weights are missing or the config is wrong; 2 for a sweep that
        matches no config, or wrong options; 130 after Ctrl-C.
    """
    chosen = argument_parser().parse_intermixed_args(arguments)
    return _planned(chosen)


def _planned(chosen: argparse.Namespace) -> int:
    launch = Launch(chosen.overrides, multirun=chosen.multirun, config_dir=chosen.config_dir)
    if not launch.jobs:
        print("no job: the sweep matched no config; oodbench --help lists them", file=sys.stderr)
        return 2
    # Imported late: torch takes seconds, too long to report a typo.
    from oodbench.sweeps.forecast.needs import Needs, all_problems
    from oodbench.sweeps.forecast.sums import sums_text
    from oodbench.sweeps.forecast.table import forecast_json, forecast_text
    from oodbench.sweeps.forecast.times import times

    known = Needs(official=chosen.official_counts)
    needs = [known.of(partial(launch.config, job)) for job in launch.jobs]
    timed = times(needs) if chosen.calibration else None
    print(sums_text(needs, timed, chosen.by) if chosen.by else forecast_text(needs, timed))
    if chosen.json is not None:
        print_json(chosen.json, forecast_json(needs, timed))
    for untimed in timed.problems if timed else ():
        print(f"not timed: {untimed}", file=sys.stderr)
    problems = all_problems(needs)
    for problem in problems:
        print(f"missing: {problem}", file=sys.stderr)
    return 1 if problems else 0


def argument_parser() -> argparse.ArgumentParser:
    """The options of the command, without parsing any."""
    parser = argparse.ArgumentParser(
        prog="oodbench-plan",
        description="What oodbench would do with the same overrides: runs, pictures, work, time on "
        "this machine, disk and memory; and all data and weights that are missing.",
    )
    add_version(parser)
    parser.add_argument(
        "overrides", nargs="*", metavar="OVERRIDE", help="as those of oodbench, such as model=NAME"
    )
    parser.add_argument("-m", "--multirun", action="store_true", help="a sweep, as with oodbench")
    parser.add_argument(
        "-cd", "--config-dir", type=Path, metavar="DIR", help="folder with configs of your own"
    )
    parser.add_argument(
        "--no-calibration",
        dest="calibration",
        action="store_false",
        help="no times: leave out the ten seconds in which networks and reading are timed",
    )
    parser.add_argument(
        "--official-counts",
        action="store_true",
        help="as if nothing were done and every data set had its official count of pictures; a few "
        "of each have to be there, such as the demo data",
    )
    parser.add_argument(
        "--by", choices=("benchmark", "model"), help="sums for each of them, not each run"
    )
    add_json(parser, "write all numbers there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
