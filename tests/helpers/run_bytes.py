"""What must not differ between two ways to compute the same runs."""

from pathlib import Path

NOT_COMPARED = ("run.json", ".run.json.lock", "derived.json")
"""Accounts of when and where, and what a table that was made of the runs has kept beside them."""


def run_bytes(root: Path) -> dict[str, bytes]:
    """Bytes of all files that runs below an output root have written, but `NOT_COMPARED`."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted((root / "runs").rglob("*"))
        if path.is_file() and path.name not in NOT_COMPARED
    }
