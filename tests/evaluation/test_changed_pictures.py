"""Pictures that are overwritten in place, with others of the same size."""

from pathlib import Path

import numpy as np
import pytest
from in_process import go_there, planned
from numpy.typing import NDArray

from oodbench.evaluation import assemble
from oodbench.evaluation.execute import execute
from oodbench.runs.plan import Plan
from oodbench.runs.records import read_split

PICTURES = Path("data/imagenet/val")
CHANGED = "n01440764/n01440764_000.JPEG"
OTHER = "n01498041/n01498041_003.JPEG"


@pytest.fixture
def here(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(assemble, "_last", {})
    monkeypatch.setenv("OODBENCH_CACHE", str(toy / "cache"))
    go_there(toy, monkeypatch)
    make_longer(CHANGED)
    return toy


def make_longer(name: str) -> None:
    """So that another picture fits into its size: what follows a JPEG picture is not read."""
    with (PICTURES / name).open("ab") as file:
        file.write(bytes(10_000))


def overwrite(name: str, other: str = OTHER, root: Path = PICTURES) -> None:
    """Put another picture's contents into a file, of which name and size stay."""
    path = root / name
    size = path.stat().st_size
    path.write_bytes((PICTURES / other).read_bytes().ljust(size, b"\0"))
    assert path.stat().st_size == size


def executed(plan: Plan) -> NDArray[np.float32]:
    """Confidences by position."""
    assert execute(plan) is not None
    found: NDArray[np.float32] = read_split(plan.paths.records, "")["confidence"].to_numpy()
    return found


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_cached_pixels_of_an_overwritten_picture_are_not_served(here: Path, kind: str) -> None:
    cached = ("limit=3", f"data.cache={kind}", "data.cache_dir=pixels")
    before = executed(planned(*cached, "output_root=first"))
    overwrite(CHANGED)
    found = executed(planned(*cached, "output_root=second"))
    truth = executed(planned("limit=3", "output_root=third"))
    assert found.tolist() == truth.tolist()
    assert found[0] != before[0]
    assert found[1:].tolist() == before[1:].tolist()
