"""Names under which a finished run was asked for besides its own: preprocessings that do the same.

The key knows no names, so that `preprocessing=timm` finds what `preprocessing=published` computed.
"""

from oodbench.core.files import locked, read_json, write_json
from oodbench.runs.paths import RunPaths


def other_names(paths: RunPaths) -> list[str]:
    """Names of preprocessings, sorted; a file that cannot be read holds none."""
    try:
        found = read_json(paths.other_names)
    except OSError:
        return []
    names = found.get("preprocessing") if isinstance(found, dict) else None
    return sorted(map(str, names)) if isinstance(names, list) else []


def add_name(paths: RunPaths, preprocessing: str) -> None:
    """Note that the run was asked for under this name too.

    Raises:
        OSError: the folder cannot be written.
    """
    if preprocessing in other_names(paths):
        return
    with locked(paths.other_names):
        names = sorted({*other_names(paths), preprocessing})
        write_json(paths.other_names, {"preprocessing": names})
