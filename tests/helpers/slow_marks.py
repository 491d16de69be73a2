"""The mark `slow` stands where more than five seconds were measured, and long tests start first.

What counts is a test with all its cases, without its fixtures, on two cores with nothing else to
do. `pytest --check-slow` fails where a mark does not fit what a test took, with room around the
bound, so that a busy machine or a fast one does not ask for other marks.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

SECONDS = 5.0
ROOM = 2.0


@dataclass(frozen=True)
class Cases:
    """The cases of a test that have the mark, or those that have not."""

    test: str
    marked: bool


def wrong_marks(seconds: Mapping[Cases, float]) -> list[str]:
    """A line for each test whose mark does not fit what it took, the longest first."""
    lines = []
    for cases, taken in sorted(seconds.items(), key=lambda item: -item[1]):
        if not cases.marked and taken > SECONDS * ROOM:
            lines.append(f"{taken:6.1f} s, not marked slow: {cases.test}")
        if cases.marked and taken < SECONDS / ROOM:
            lines.append(f"{taken:6.1f} s, marked slow: {cases.test}")
    return lines


class SlowMarks:
    """Adds up what each test takes, also where other processes run them."""

    def __init__(self) -> None:
        self.seconds: dict[Cases, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and not report.skipped:
            test = report.nodeid.split("[", 1)[0]
            self.seconds[Cases(test, "slow" in report.keywords)] += report.duration

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if wrong_marks(self.seconds) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("slow marks")
        terminalreporter.write_line("\n".join(wrong_marks(self.seconds)) or "all as measured")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests come first, so that none is left when one process has no more to do."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--check-slow", action="store_true", help="fail where the mark slow does not fit"
    )


def pytest_configure(config: pytest.Config) -> None:
    # In the process that gets all reports, not in those that run the tests.
    if config.getoption("--check-slow") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SlowMarks(), "slow_marks_check")
