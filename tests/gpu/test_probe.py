"""The linear classifier on a CUDA device: the CPU's features, the same bytes again."""

from pathlib import Path

import numpy as np
import pytest
import torch
from probe_toys import fresh, recipe, run, trainer
from torch import Tensor, nn
from torchvision.models import resnet50

from oodbench.engines.pytorch import set_precision
from oodbench.probe.backbone import Backbone
from oodbench.probe.features import StoredFeatures

pytestmark = pytest.mark.gpu

DEVICE = torch.device("cuda")


def backbone(precision: str, size: int = 8) -> Backbone:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = resnet50()
    network.fc = nn.Identity()  # type: ignore[assignment]
    return Backbone(
        network,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        dimension=2048,
        precision=precision,
        forward_batch_size=size,
    )


def images(count: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, 64, 64), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("precision", "bound"), [("fp32", 1e-3), ("tf32", 2e-2), ("bf16", 5e-2), ("fp16", 2e-2)]
)
def test_features_are_the_cpus(precision: str, bound: float) -> None:
    wanted = backbone("fp32")(images())
    set_precision(precision, DEVICE.type)
    found = backbone(precision).to(DEVICE)(images().pin_memory())
    assert found.device.type == DEVICE.type
    assert found.dtype == torch.float32
    assert (found.cpu() - wanted).abs().max() < bound * wanted.abs().max()


class Greedy(nn.Module):
    """Has memory for three pictures at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, batch: Tensor) -> Tensor:
        self.sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return batch.mean((2, 3))


def test_memory_that_runs_out_halves_the_batch() -> None:
    network = Greedy()
    made = Backbone(
        network,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        dimension=3,
        precision="fp32",
        forward_batch_size=8,
    ).to(DEVICE)
    found = made(images(9))
    assert torch.allclose(found.cpu(), images(9).float().mean((2, 3)) / 255, atol=1e-5)
    assert network.sizes == [8, 4, 2, 2, 2, 2, 1]
    assert made.forward_batch_size == 2


def test_a_classifier_is_the_cpus_and_has_the_same_bytes_again() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(5, size=400)
    centres = rng.normal(size=(5, 16))
    values = (centres[labels] + rng.normal(size=(400, 16))).astype(np.float32)
    used = recipe("published_15_epochs", epochs=3, batch_size=64, lr=0.1)
    heads = []
    for device in (torch.device("cpu"), DEVICE, DEVICE):
        known = StoredFeatures(values, labels, device)
        state = fresh(known, used, 5)
        state.head.to(device)
        trainer(used, known, 400, known).train(state)
        heads.append(state.head.weight.detach().cpu())
    assert torch.allclose(heads[0], heads[1], atol=1e-4)
    assert torch.equal(heads[1], heads[2])


def test_a_whole_training(probe_toy: Path) -> None:
    small = ("recipe.epochs=2", "recipe.batch_size=8", "data.allow_partial=true", "data.workers=2")
    for name in ("a", "b"):
        own = (f"device={DEVICE.type}", "precision=bf16", f"output_root={name}")
        found = run(probe_toy, *small, *own)
        assert found.returncode == 0, found.stdout + found.stderr
    first, second = (next(probe_toy.glob(f"{name}/probe/**/head.pth.tar")) for name in "ab")
    assert first.read_bytes() == second.read_bytes()
