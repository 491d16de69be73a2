"""The forward pass for CUDA and its graphs, on a device that is none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cuda_stand_ins
import numpy as np
import pytest
import torch
from engine_toys import classifier, expected, pictures
from torch import Tensor, nn

from oodbench.core.errors import ConfigError
from oodbench.engines import auto, compiled, cuda_graphs
from oodbench.engines.auto import AutoEngine
from oodbench.engines.compiled import OneSize
from oodbench.engines.cuda import CudaForward, pinned_memory
from oodbench.engines.cuda_graphs import CudaGraphsEngine, Graphs
from oodbench.evaluation.reused_memory import ReusedMemory


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda_stand_ins.pretend(monkeypatch)


@pytest.mark.parametrize("made", [None, Graphs])
@pytest.mark.usefixtures("card")
def test_logits_of_several_batches_in_flight(made: Any) -> None:
    model = classifier()
    forward = CudaForward("mine", model, pictures(4), precision="fp32", made=made)
    batches = [pictures(size) for size in (5, 5, 1, 3)]
    pending = [forward.start(batch) for batch in batches]
    for batch, started in zip(batches, pending, strict=True):
        found = started.result()
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected(model, batch), atol=1e-4)


@pytest.mark.usefixtures("card")
def test_float_images() -> None:
    model = classifier()
    forward = CudaForward("mine", model, pictures(2), precision="fp32")
    images = torch.rand(3, 3, 40, 40)
    with torch.inference_mode():
        wanted = model(images).numpy()
    np.testing.assert_allclose(forward.logits(images), wanted, atol=1e-4)


@pytest.mark.usefixtures("card")
def test_batches_in_pinned_memory() -> None:
    memory = ReusedMemory(pinned_memory)
    first = memory.stacked(list(pictures(3)))
    assert np.array_equal(first, pictures(3))
    assert torch.from_numpy(first).data_ptr() == first.ctypes.data
    place = first.ctypes.data
    del first
    assert memory.stacked(list(pictures(2))).ctypes.data == place


def test_graphs_have_few_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "Capture", cuda_stand_ins.Capture)
    graphs = Graphs(lambda pixels: pixels[:, 0, 0].float())
    for count in (4, 100, 100, 70, 33, 3, 60, 1, 100):
        pixels = torch.randint(256, (count, 2, 2, 3), dtype=torch.uint8)
        assert torch.equal(graphs(pixels), pixels[:, 0, 0].float())
    # 70 fills the one of 100; 33 and 60 that of 64; 3 the first one.
    capture: Any = graphs._capture
    assert capture.sizes == [4, 100, 64, 1]


def test_graphs_need_a_cuda_device() -> None:
    with pytest.raises(ConfigError, match=r"^engine=cuda_graphs: needs a CUDA device, this is cpu"):
        CudaGraphsEngine().prepare(classifier(), pictures(1))


class Limited(nn.Module):
    """Takes so many pictures at once; remembers how many came."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.sizes: list[int] = []

    def forward(self, batch: Tensor) -> Tensor:
        self.sizes.append(len(batch))
        if len(batch) > self.width:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return batch.flatten(1)


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda network, **_: network)


@pytest.mark.usefixtures("no_compiler")
def test_smaller_batches_are_padded_to_one_size() -> None:
    network = Limited(100)
    one_size = OneSize(network, size=6)
    for count in (4, 6, 1):
        batch = torch.rand(count, 1, 2, 2)
        assert torch.equal(one_size(batch), batch.flatten(1))
    assert network.sizes == [6, 6, 6]


@pytest.mark.usefixtures("no_compiler")
def test_what_did_not_fit_is_not_padded_to_again() -> None:
    network = Limited(4)
    one_size = OneSize(network, size=8)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        one_size(torch.rand(5, 1, 2, 2))
    for count in (4, 3):
        assert len(one_size(torch.rand(count, 1, 2, 2))) == count
    assert network.sizes == [8, 4, 4]


@pytest.fixture
def on_cuda(card: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The automatic engine believes that the classifier is on CUDA; what compiles is noted."""
    made: list[str] = []

    class Compiled:
        def __init__(self, **_: object) -> None:
            made.append("compiled")

        def prepare(self, model: nn.Module, example: Any) -> Any:
            return CudaForward("compiled", model, example, precision="fp32")

    class Graphed:
        def __init__(self, **_: object) -> None:
            made.append("cuda_graphs")

        def prepare(self, model: nn.Module, example: Any) -> Any:
            return CudaForward("cuda_graphs", model, example, precision="fp32", made=Graphs)

    monkeypatch.setattr(auto, "device_of", lambda model: torch.device("cuda"))
    monkeypatch.setattr(auto, "CompiledEngine", Compiled)
    monkeypatch.setattr(auto, "CudaGraphsEngine", Graphed)
    return made


def seconds(**by_name: float) -> Callable[..., float]:
    return lambda forward, batch: by_name[forward.name]


@pytest.mark.parametrize(
    ("n_pictures", "compiled_takes", "made", "used"),
    [
        (7 * 32, 0.1, [], "eager"),  # fewer than eight batches
        (8 * 32, 0.1, ["cuda_graphs"], "cuda_graphs"),
        # four tenths of 74,000 times 1 ms are 29.6 s, less than compiling takes
        (74_000, 0.5e-3, ["cuda_graphs"], "cuda_graphs"),
        (76_000, 0.5e-3, ["cuda_graphs", "compiled"], "compiled"),
        (76_000, 1.5e-3, ["cuda_graphs", "compiled"], "cuda_graphs"),
        (None, 0.1, ["cuda_graphs"], "cuda_graphs"),
    ],
)
def test_what_is_fastest_for_the_length_of_the_run(
    n_pictures: int | None,
    compiled_takes: float,
    made: list[str],
    used: str,
    on_cuda: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = seconds(cuda_graphs=1e-3, compiled=compiled_takes)
    monkeypatch.setattr(auto, "seconds_a_picture", times)
    engine = AutoEngine(batch_size=32, n_left=n_pictures, n_pictures=n_pictures)
    model = classifier()
    forward = engine.prepare(model, pictures(4))
    assert (forward.name, on_cuda) == (used, made)
    found = forward.start(pictures(3)).result()
    np.testing.assert_allclose(found, expected(model, pictures(3)), atol=1e-4)


@pytest.mark.parametrize("shard", [1, 300_000])
def test_every_shard_of_a_run_takes_the_same_engine(
    shard: int, on_cuda: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "seconds_a_picture", seconds(cuda_graphs=1e-5))
    engine = AutoEngine(batch_size=32, n_left=shard, n_pictures=50_000)
    forward = engine.prepare(classifier(), pictures(4))
    assert forward.name == "cuda_graphs"


@pytest.mark.parametrize("kept", ["eager", "cuda_graphs", "compiled"])
@pytest.mark.parametrize("left", [1, 10**9])
def test_a_run_goes_on_with_the_engine_that_it_began_with(
    kept: str, left: int, on_cuda: list[str]
) -> None:
    engine = AutoEngine(batch_size=32, n_left=left, n_pictures=left, kept_engine=kept)
    forward = engine.prepare(classifier(), pictures(4))
    assert forward.name == kept
    assert on_cuda == [kept] * (kept != "eager")  # nothing is made in vain


@pytest.mark.parametrize("kept", [None, "compiled"])
@pytest.mark.parametrize(
    "error",
    [
        ConfigError("engine=compiled needs a compiler"),
        torch.cuda.OutOfMemoryError("CUDA out of memory"),
    ],
)
def test_a_network_that_does_not_compile_is_replayed_as_graphs(
    error: Exception, kept: str | None, on_cuda: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise error

    monkeypatch.setattr(auto, "CompiledEngine", refuse)
    monkeypatch.setattr(auto, "seconds_a_picture", seconds(cuda_graphs=1.0))
    forward = AutoEngine(batch_size=8, n_left=1000, kept_engine=kept).prepare(
        classifier(), pictures(2)
    )
    assert forward.name == "cuda_graphs"


def test_a_network_that_cannot_be_captured_is_run_eagerly(
    on_cuda: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "CudaGraphsEngine", CudaGraphsEngine)  # refuses the CPU
    forward = AutoEngine(batch_size=8).prepare(classifier(), pictures(2))
    assert forward.name == "eager"


def test_what_is_compiled_is_kept_below_the_cache(
    tmp_path: Path, no_compiler: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    environment: dict[str, str] = {}
    monkeypatch.setattr(compiled.os, "environ", environment)
    engine = compiled.CompiledEngine(cache_dir=str(tmp_path))
    model = classifier()
    found = engine.prepare(model, pictures(2)).start(pictures(2)).result()
    np.testing.assert_allclose(found, expected(model, pictures(2)), atol=1e-4)
    assert environment == {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "inductor")}
