"""What must not differ between two ways to compute the same runs."""

from pathlib import Path


def run_bytes(root: Path) -> dict[str, bytes]:
    """Bytes of all files of the runs below an output root, but the accounts of when and where."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted((root / "runs").rglob("*"))
        if path.is_file() and path.name not in ("run.json", ".run.json.lock")
    }
