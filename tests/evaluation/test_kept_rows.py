"""A run goes on as it began, on the same kind of device."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from torch import nn

from oodbench.evaluation.batch_size import batch_size_of
from oodbench.evaluation.kept_rows import first_kept
from oodbench.runs.records import ChunkInfo, chunk_path, write_chunk


def plan(records: Path, device: str, given: int | None = None) -> Any:
    engine = SimpleNamespace(batch_size=given)
    run = SimpleNamespace(engine=engine)
    return SimpleNamespace(device=device, run=run, paths=SimpleNamespace(records=records))


def write(folder: Path, number: int, device: str, batch_size: int, engine: str = "eager") -> None:
    folder.mkdir(exist_ok=True)
    info = ChunkInfo(2, (), engine, device, batch_size)
    write_chunk(chunk_path(folder, "", number), {"position": np.arange(2)}, info)


def test_the_first_chunk_counts(tmp_path: Path) -> None:
    assert first_kept(plan(tmp_path / "none", "cuda")) is None
    write(tmp_path, 3, "cuda:1", 64, "cuda_graphs")
    write(tmp_path, 2, "cuda", 32, "eager")
    write(tmp_path, 1, "cuda", 0)  # all of its pictures were skipped
    (tmp_path / "all-00000.parquet").write_bytes(b"damaged")
    found = first_kept(plan(tmp_path, "cuda:0"))
    assert found is not None
    assert (found.engine, found.batch_size) == ("eager", 32)
    assert first_kept(plan(tmp_path, "cpu")) is None


@pytest.mark.parametrize(("given", "size"), [(None, 32), (7, 7)])
def test_its_batch_size_is_kept_unless_one_is_given(
    given: int | None, size: int, tmp_path: Path
) -> None:
    write(tmp_path, 0, "cuda", 32)
    mine = plan(tmp_path, "cuda", given)
    kept = first_kept(mine)
    assert batch_size_of(mine, nn.Identity(), (1, 224, 224), kept, attack=None) == size
