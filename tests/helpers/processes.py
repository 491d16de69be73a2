"""Several processes that do the same at the same moment."""

import subprocess
import sys
from collections.abc import Sequence

READY = "import sys; print('ready', flush=True); sys.stdin.readline()\n"


def at_once(code: str, *arguments: Sequence[str]) -> None:
    """Run Python code, which finds its imports done, in one process for each list of arguments.

    Args:
        code: its first line imports; the rest starts when all processes have come that far.
        arguments: `sys.argv[1:]` of each process.
    """
    imports, rest = code.strip().split("\n", 1)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", f"{imports}\n{READY}{rest}", *own],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for own in arguments
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
