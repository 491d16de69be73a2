"""What a sweep is to compute: kept beside the outputs, so that what is missing is known."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from oodbench.core.files import read_json, write_json
from oodbench.runs.paths import sweeps_directory

SCHEMA = 1
_DIGITS = 12


@dataclass(frozen=True)
class Sweep:
    """The jobs of one command line.

    Attributes:
        identity: 12 hex digits, of the jobs; the same command line goes on with the same sweep.
        overrides: of the command line.
        hydra: those of Hydra's own node, such as the launcher.
        config_dir: `--config-dir`, "" for none.
        jobs: overrides of each job, as Hydra launches it.
        launched: when it was last launched, seconds since 1970.
    """

    identity: str
    overrides: list[str]
    hydra: list[str]
    config_dir: str
    jobs: list[list[str]]
    launched: float = 0.0


def sweep_of(
    overrides: Sequence[str],
    jobs: Sequence[Sequence[str]],
    *,
    hydra: Sequence[str] = (),
    config_dir: Path | None = None,
) -> Sweep:
    """The sweep of a command line and its jobs; for the arguments see `Sweep`."""
    text = json.dumps([list(job) for job in jobs])
    identity = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
    return Sweep(
        identity,
        list(overrides),
        list(hydra),
        "" if config_dir is None else str(config_dir),
        [list(job) for job in jobs],
    )


def keep_sweep(output_root: Path, sweep: Sweep) -> None:
    """Write `<output root>/sweeps/<identity>.json`.

    Raises:
        OSError: the folder cannot be written.
    """
    content = {name: value for name, value in asdict(sweep).items() if name != "launched"}
    file = sweeps_directory(output_root) / f"{sweep.identity}.json"
    write_json(file, {"schema": SCHEMA, **content})


def kept_sweeps(output_root: Path) -> list[Sweep]:
    """All sweeps below an output root, the one that was launched last first.

    A file that is damaged or of another schema is passed over.
    """
    found = []
    for file in sweeps_directory(output_root).glob("*.json"):
        content = read_json(file)
        if isinstance(content, dict) and content.pop("schema", None) == SCHEMA:
            try:
                found.append(Sweep(**content, launched=file.stat().st_mtime))
            except (TypeError, OSError):
                continue
    return sorted(found, key=lambda sweep: (-sweep.launched, sweep.identity))
