"""The gate, by hand."""

from math import inf, nan
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from engine_toys import classifier, expected, pictures
from numpy.typing import NDArray
from torch import Tensor

from oodbench.core.errors import ConfigError
from oodbench.engines.parity import compare, gate
from oodbench.models.classifier import Classifier

ROW = list[float]


@pytest.mark.parametrize(
    ("found", "wanted", "complaint"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], ""),
        ([1.0, 2.0, 3.05], [1.0, 2.0, 3.0], ""),
        ([1.5, 2.0, 3.0], [1.0, 2.0, 3.0], "a logit differs by 0.5"),
        # Nearer to each other than the tolerance: either may come first.
        ([1.0, 3.02, 3.0], [1.0, 3.0, 3.05], ""),
        # Both within the tolerance, yet the order of two classes that are apart has turned.
        ([1.0, 3.09, 3.08], [1.0, 3.0, 3.16], "top-1 differs on 1 of the first 1 pictures"),
        # A class that the network lacks.
        ([1.0, -inf, 3.0], [1.0, -inf, 3.0], ""),
        ([1.0, -9.0, 3.0], [1.0, -inf, 3.0], "a logit differs by inf"),
        ([1.0, -inf, 3.0], [1.0, 2.0, 3.0], "a logit differs by inf"),
        ([nan, 2.0, 3.0], [1.0, 2.0, 3.0], "top-1 differs on 1 of the first 1 pictures"),
        ([nan, nan, nan], [nan, nan, nan], ""),
    ],
)
def test_one_picture(found: ROW, wanted: ROW, complaint: str) -> None:
    a, b = (np.array([row], dtype=np.float32) for row in (found, wanted))
    assert compare(a, b, tolerance=0.1).complaint(0.1) == complaint


def test_the_worst_picture_counts() -> None:
    wanted = np.array([[0, 1], [1, 0], [0, 1]], dtype=np.float32)
    found = np.array([[0, 1], [0, 1], [0, 1.5]], dtype=np.float32)
    parity = compare(found, wanted, tolerance=2.0)
    assert (parity.largest, parity.swapped, parity.n) == (1.0, 0, 3)
    assert compare(found, wanted, tolerance=0.5).swapped == 1


class Off:
    """An engine whose logits are all off by so much."""

    name = "off"
    note = ""
    depth = 1

    def __init__(self, model: Classifier, by: float) -> None:
        self._model = model
        self._by = np.float32(by)

    def start(self, pixels: NDArray[np.uint8]) -> Any:
        return SimpleNamespace(result=lambda: expected(self._model, pixels) + self._by)

    def logits(self, images: Tensor) -> Any:
        raise AssertionError("the gate asks for pixels")


def test_in_bf16_an_engine_may_be_twice_as_far_off_as_pytorch() -> None:
    model = classifier()
    images = torch.from_numpy(pictures(4)).permute(0, 3, 1, 2).contiguous() / 255
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = model(images).float().numpy()
    own = float(np.abs(rounded - expected(model, pictures(4))).max())
    assert own > 0.01
    gate(Off(model, 1.8 * own), model, pictures(4), tolerance=1e-3, precision="bf16")
    for precision, by in (("bf16", 2.2), ("fp32", 1.8)):
        with pytest.raises(ConfigError, match="a logit differs"):
            gate(Off(model, by * own), model, pictures(4), tolerance=1e-3, precision=precision)


def test_memory_that_runs_out_at_the_gate_is_no_fault_of_the_engine() -> None:
    class Full(Off):
        def start(self, pixels: NDArray[np.uint8]) -> Any:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    model = classifier()
    with pytest.raises(torch.cuda.OutOfMemoryError):
        gate(Full(model, 0), model, pictures(2), tolerance=1e-3)
