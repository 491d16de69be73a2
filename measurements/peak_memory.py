"""The peak memory of a process and its children: the sum of their proportional set sizes (PSS)."""

import threading
from pathlib import Path
from types import TracebackType

GIB = 2**30
SECONDS = 0.1


class PeakMemory:
    """Looks at the process tree ten times a second while the block runs.

    Args:
        pid: of the root of the tree.
        enabled: looking costs time; False: `gib` stays 0.
        ignore: files whose pages are not counted where their path contains this.
    """

    def __init__(self, pid: int, *, enabled: bool = True, ignore: str = "/pictures/") -> None:
        self.gib = 0.0
        self._pid = pid
        self._ignore = ignore
        self._enabled = enabled
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        if self._enabled:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        if self._enabled:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(SECONDS):
            total = sum(proportional_set_size(pid, self._ignore) for pid in tree(self._pid))
            self.gib = max(self.gib, total / GIB)


def tree(pid: int) -> list[int]:
    """The process and all below it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(c) for task in tasks for c in (task / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(process for child in children for process in tree(child))]


def proportional_set_size(pid: int, ignore: str) -> int:
    """Bytes; 0 for a process that has ended."""
    total = 0
    counted = True
    try:
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024 * counted
            elif "-" in line.split(maxsplit=1)[0]:
                counted = ignore not in line
    except OSError:
        return total
    return total
