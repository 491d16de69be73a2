"""The mark `slow` stands where more than five seconds were measured, and long tests start first.

`pytest --check-slow` fails where a mark does not fit what the test took. Fixtures are not counted.
The check leaves room around the bound, so that a busy machine or a fast one does not ask for other
marks.
"""

from collections import defaultdict
from collections.abc import Mapping

import pytest

SECONDS = 5.0
ROOM = 2.0


def wrong_marks(seconds: Mapping[str, float], marked: set[str]) -> list[str]:
    """A line a test whose mark does not fit what it took, the longest first.

    Args:
        seconds: by the test's name.
        marked: names of the tests with the mark `slow`.
    """
    lines = []
    for name, taken in sorted(seconds.items(), key=lambda item: -item[1]):
        if name not in marked and taken > SECONDS * ROOM:
            lines.append(f"{taken:6.1f} s, not marked slow: {name}")
        if name in marked and taken < SECONDS / ROOM:
            lines.append(f"{taken:6.1f} s, marked slow: {name}")
    return lines


class SlowMarks:
    """Adds up what each test takes, also where other processes run them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.marked: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" or report.skipped:
            return
        self.seconds[report.nodeid] += report.duration
        if "slow" in report.keywords:
            self.marked.add(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if wrong_marks(self.seconds, self.marked) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("slow marks")
        lines = wrong_marks(self.seconds, self.marked)
        terminalreporter.write_line("\n".join(lines) or "all as measured")


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
