"""A CUDA device makes Pillow's pixels, and the records of runs are the same bytes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from run_bytes import run_bytes
from toys import Cli
from unresized_toys import KINDS, batch_of

from oodbench.engines.cuda import pinned_memory
from oodbench.engines.resizing import Copied
from oodbench.evaluation.reused_memory import ReusedMemory
from oodbench.preprocessing import Preprocessing

pytestmark = pytest.mark.gpu

DEVICE = torch.device("cuda")


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_pixels_are_pillow_s(kind: dict[str, Any]) -> None:
    batch, wanted = batch_of(Preprocessing(**kind), 40)
    assert np.array_equal(Copied(batch, DEVICE).pixels().cpu().numpy(), wanted)


def test_from_pinned_memory_that_is_used_again() -> None:
    memory = ReusedMemory(pinned_memory)
    for kind in KINDS[:2]:
        preprocessing = Preprocessing(**kind)
        batch, wanted = batch_of(preprocessing, 20, memory.bytes)
        copied = Copied(batch, DEVICE)
        torch.cuda.synchronize()
        del batch
        assert np.array_equal(copied.pixels().cpu().numpy(), wanted)


@pytest.mark.parametrize("loader", ["threads", "processes"])
def test_the_records_are_the_same_bytes(loader: str, toy: Path, cli: Cli) -> None:
    for resizing in ("device", "workers"):
        more = (f"data.resizing={resizing}", f"data.loader={loader}", "engine.batch_size=8")
        done = cli("model=toy", "preprocessing=timm", *more, f"output_root={resizing}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the workers resize" not in done.stderr
    assert run_bytes(toy / "device") == run_bytes(toy / "workers") != {}
