"""All parts on one page."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from oodbench.core.errors import visible
from oodbench.sweeps.machine.findings import Part, part


def examined(data_root: Path, output_root: Path, *, slow: bool = False) -> list[Part]:
    """Everything that is found out about the machine; no part can stop the others.

    Args:
        data_root: folder of the data sets.
        output_root: folder of the results.
        slow: try the engines too that need more than some seconds.
    """
    from oodbench.sweeps.machine.data_sets import data_sets
    from oodbench.sweeps.machine.engines import engines
    from oodbench.sweeps.machine.hardware import hardware
    from oodbench.sweeps.machine.packages import extras, packages
    from oodbench.sweeps.machine.storage import caches, disks
    from oodbench.sweeps.machine.weights import weights

    return [
        part("packages", packages),
        part("extras", extras),
        part("hardware", hardware),
        part("engines", lambda: engines(slow=slow)),
        part("disks", lambda: disks(data_root, output_root)),
        part("caches", caches),
        part("data sets", lambda: data_sets(data_root)),
        part("weights", weights),
    ]


def text_of(parts: Sequence[Part]) -> str:
    """Headings with a line a finding, what to do below it, and a count of what is wrong."""
    width = max(len(found.name) for one in parts for found in one.findings)
    lines = []
    for one in parts:
        lines.append(one.title)
        for found in one.findings:
            lines.append(f"  {found.state:<3}  {found.name:<{width}}  {visible(found.said)}")
            if found.mend:
                lines.append(f"       {'':<{width}}  → {visible(found.mend)}")
        lines.append("")
    n_bad = len(wrong(parts))
    if n_bad:
        lines.append(f"{n_bad} thing{'s' if n_bad > 1 else ''} wrong: see the lines marked bad.")
    else:
        lines.append("Nothing is wrong. What is marked - is not there, and only some runs need it.")
    return "\n".join(lines)


def content_of(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """The parts as JSON."""
    return [asdict(one) for one in parts]


def wrong(parts: Sequence[Part]) -> list[str]:
    """Names of what is wrong."""
    return [found.name for one in parts for found in one.findings if found.state == "bad"]
