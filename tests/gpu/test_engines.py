"""Engines on a CUDA device give the CPU's logits, and go on where memory runs out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_toys import classifier, expected, pictures, settle
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models import resnet50

from oodbench.core.schema import EngineConfig
from oodbench.engines.base import Forward
from oodbench.engines.choose import prepared
from oodbench.engines.cuda import pinned_memory
from oodbench.engines.extent import Extent
from oodbench.engines.halving import HalvingForward
from oodbench.engines.pytorch import images_of
from oodbench.evaluation.batch_size import fitting
from oodbench.evaluation.reused_memory import ReusedMemory
from oodbench.models.classifier import Classifier
from oodbench.models.device_memory import free_bytes
from oodbench.models.folded.networks import FoldedNetworks
from oodbench.models.full_float32 import full_float32

pytestmark = pytest.mark.gpu

DEVICE = torch.device("cuda", 0)
MEBIBYTE = 2**20
TARGETS = {
    "auto": "oodbench.engines.auto.AutoEngine",
    "compiled": "oodbench.engines.compiled.CompiledEngine",
    "cuda_graphs": "oodbench.engines.cuda_graphs.CudaGraphsEngine",
    "eager": "oodbench.engines.eager.EagerEngine",
}


def engine(
    name: str,
    model: nn.Module,
    folder: Path,
    *,
    example: NDArray[np.uint8] | None = None,
    precision: str = "fp32",
    **settings: Any,
) -> Forward:
    return prepared(
        EngineConfig(name=name, backend={"_target_": TARGETS[name]}, precision=precision),
        model,
        pictures(4) if example is None else example,
        cache_dir=folder,
        model_identity=None,
        **settings,
    )


def resnet() -> Classifier:
    """Random weights; logits are of the order of one."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = resnet50()
    settle(network, 224)
    return Classifier(network, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@pytest.mark.parametrize("name", TARGETS)
def test_logits_of_several_batches_in_flight(name: str, tmp_path: Path) -> None:
    model = classifier()
    batches = [pictures(size) for size in (8, 8, 1, 3, 5, 8)]
    wanted = [expected(model, batch) for batch in batches]
    extent = Extent(batch_size=8)
    forward = engine(name, model.to(DEVICE), tmp_path, extent=extent)
    pending = [forward.start(batch) for batch in batches]
    for started, logits in zip(pending, wanted, strict=True):
        found = started.result()
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, logits, atol=1e-3)


@pytest.mark.parametrize("name", ["eager", "cuda_graphs"])
def test_a_resnet(name: str, tmp_path: Path) -> None:
    model = resnet()
    pixels = pictures(16, 224)
    wanted = expected(model, pixels)
    found = engine(name, model.to(DEVICE), tmp_path, example=pixels[:4]).start(pixels).result()
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    best = np.sort(wanted, axis=1)
    apart = best[:, -1] - best[:, -2] > 2e-3
    assert (found.argmax(1) == wanted.argmax(1))[apart].all()


@pytest.mark.parametrize("name", ["eager", "cuda_graphs"])
def test_no_batch_is_overwritten_before_it_is_copied(name: str, tmp_path: Path) -> None:
    model = classifier().to(DEVICE)
    forward = engine(name, model, tmp_path)
    memory = ReusedMemory(pinned_memory)
    rng = np.random.default_rng(0)
    plain = [rng.integers(0, 256, (16, 40, 40, 3), dtype=np.uint8) for _ in range(100)]
    wanted = [forward.start(batch).result() for batch in plain]
    waiting: list[Any] = []
    found = []
    for batch in plain:
        stacked = memory.stacked(list(batch))
        waiting.append((stacked, forward.start(stacked)))
        del stacked
        if len(waiting) > forward.depth:
            found.append(waiting.pop(0)[1].result())
    found += [pending.result() for _, pending in waiting]
    for ours, theirs in zip(found, wanted, strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["auto", "cuda_graphs", "eager"])
@pytest.mark.parametrize(("precision", "bound"), [("tf32", 0.02), ("bf16", 0.15), ("fp16", 0.02)])
def test_precisions_are_near(name: str, precision: str, bound: float, tmp_path: Path) -> None:
    """Factors have 10 bits in TF32 and fp16, 7 in bf16; dozens of layers add up errors."""
    model = resnet()
    pixels = pictures(8, 224)
    wanted = expected(model, pixels)
    forward = engine(name, model.to(DEVICE), tmp_path, example=pixels[:4], precision=precision)
    found = forward.start(pixels).result()
    apart = np.abs(found - wanted).max() / np.abs(wanted).max()
    assert 1e-6 < apart < bound


def test_full_float32_within_tf32() -> None:
    generator = torch.Generator(DEVICE).manual_seed(0)
    a, b = torch.randn(2, 512, 512, device=DEVICE, generator=generator)
    exact = (a.double() @ b.double()).float()
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        with full_float32():
            full = a @ b
        rounded = a @ b
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    assert (full - exact).abs().max() < 1e-3 < (rounded - exact).abs().max()


def test_a_network_is_folded() -> None:
    model = resnet().to(DEVICE)
    images = images_of(pictures(2, 224), DEVICE)
    folded = FoldedNetworks().of(model, images)
    assert folded is not model
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())


@pytest.mark.parametrize("name", ["eager", "cuda_graphs"])
def test_same_bytes_again(name: str, tmp_path: Path) -> None:
    pixels = pictures(32, 224)
    found = [
        engine(name, resnet().to(DEVICE), tmp_path, example=pixels[:4]).start(pixels).result()
        for _ in range(2)
    ]
    assert np.array_equal(*found)


@pytest.fixture
def small_card() -> Iterator[None]:
    """This process may take no more than 1200 MiB beyond what it holds."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(DEVICE).total_memory
    most = torch.cuda.memory_reserved(DEVICE) + 1200 * MEBIBYTE
    torch.cuda.set_per_process_memory_fraction(most / total, DEVICE)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0, DEVICE)
    torch.cuda.empty_cache()


class Greedy(nn.Module):
    """Takes 50 MiB for each picture."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = classifier()

    def forward(self, images: Tensor) -> Tensor:
        torch.zeros(len(images), 50 * MEBIBYTE, dtype=torch.uint8, device=images.device)
        return torch.as_tensor(self.inner(images))


@pytest.mark.usefixtures("small_card")
@pytest.mark.parametrize("name", ["eager", "cuda_graphs"])
def test_memory_that_runs_out_halves_the_batch(name: str, tmp_path: Path) -> None:
    model = Greedy().eval().requires_grad_(False).to(DEVICE)
    inner = engine(name, model, tmp_path)
    forward = HalvingForward(inner, DEVICE)
    pixels = pictures(32)
    found = forward.start(pixels).result()
    assert forward.most in (2, 4, 8, 16)
    np.testing.assert_allclose(found, expected(model.inner.cpu(), pixels), atol=1e-3)


def test_as_many_pictures_as_fit() -> None:
    model = Greedy().eval().requires_grad_(False).to(DEVICE)
    room = 0.4 * free_bytes(DEVICE) / (50 * MEBIBYTE)
    assert room / 2.5 <= fitting(model, (40, 40), DEVICE) <= room
