"""Where things are on disk. No other module builds a path of its own."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunPaths:
    """The folder of one run: `<output root>/runs/<benchmark>/<model>/<key>`."""

    directory: Path

    @classmethod
    def of(cls, output_root: Path, benchmark: str, model: str, key: str) -> "RunPaths":
        """Folder of the run with this key."""
        return cls(runs_directory(output_root) / benchmark / model / key)

    @property
    def records(self) -> Path:
        """Folder of the Parquet chunks, the only thing inference writes."""
        return self.directory / "records"

    @property
    def result(self) -> Path:
        """Scores and counts; written last: its presence means the run ended well."""
        return self.directory / "result.json"

    @property
    def summary(self) -> Path:
        """What figures need beyond the scores; written with the result, safe to delete."""
        return self.directory / "summary.json"

    @property
    def derived(self) -> Path:
        """Scores that need a second run, kept by the tables; safe to delete."""
        return self.directory / "derived.json"

    @property
    def right(self) -> Path:
        """Which pictures were right, kept by the tables; safe to delete."""
        return self.directory / "right.json"

    @property
    def info(self) -> Path:
        """What differs from run to run: times, host, versions."""
        return self.directory / "run.json"

    @property
    def key_document(self) -> Path:
        """Everything that the key is the hash of, readable."""
        return self.directory / "key.json"

    @property
    def other_names(self) -> Path:
        """Names of preprocessings that do here what the run's own does; safe to delete."""
        return self.directory / "other_names.json"

    @property
    def error(self) -> Path:
        """Why the last attempt failed; absent after a good one."""
        return self.directory / "error.json"


def runs_directory(output_root: Path) -> Path:
    """Folder that holds all runs."""
    return output_root / "runs"


def all_runs(output_root: Path) -> list[RunPaths]:
    """Every folder of a run, finished or not, sorted by path."""
    folders = [runs_directory(output_root)]
    for _ in range(3):
        folders = [inner for folder in folders for inner in _folders_in(folder)]
    return [RunPaths(folder) for folder in sorted(folders)]


def _folders_in(folder: Path) -> list[Path]:
    """Those of a folder that is there and can be read, links to folders too."""
    with suppress(OSError), os.scandir(folder) as entries:
        return [folder / entry.name for entry in entries if entry.is_dir()]
    return []


def nested_roots(output_root: Path) -> list[Path]:
    """Folders of an output root that are output roots themselves, as the demo's is."""
    return sorted(path.parent for path in output_root.glob("*/runs") if path.is_dir())


def transfer_directory(output_root: Path, key: str) -> Path:
    """Folder of the adversarial pictures of one source, attack, pipeline and data set."""
    return output_root / "transfer" / key


def pictures_directory(output_root: Path) -> Path:
    """Folder of what the pictures held that the runs have decoded."""
    return output_root / "pictures"


def sweeps_directory(output_root: Path) -> Path:
    """Folder of what sweeps are to compute, and of what their jobs say of themselves."""
    return output_root / "sweeps"


def tables_directory(output_root: Path) -> Path:
    """Folder of the tables made from all runs."""
    return output_root / "tables"


def kept_spread(output_root: Path, field: str) -> Path:
    """How far a field moves the numbers, kept by the report; safe to delete."""
    return tables_directory(output_root) / f"spread_{field}.kept.json"


def kept_report(output_root: Path) -> Path:
    """What the last report rests on; safe to delete."""
    return tables_directory(output_root) / "report.kept.json"
