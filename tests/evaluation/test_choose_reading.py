"""Where pictures are resized: as the config says, and to the same records."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from configs import composed
from in_process import go_there, planned
from PIL import Image
from run_bytes import run_bytes
from toys import WNIDS

from oodbench.core.errors import ConfigError
from oodbench.evaluation import batches, choose_reading
from oodbench.evaluation.choose_reading import resized_later
from oodbench.evaluation.execute import execute
from oodbench.runs.plan import resizes_later


@pytest.mark.parametrize(
    ("overrides", "device", "expected"),
    [
        (["data.workers=16"], "cuda:1", True),
        ([], "cpu", False),
        (["benchmark=adversarial"], "cuda", False),  # which waits for the network
        (["data.workers=32"], "cuda", True),
        (["data.workers=33"], "cuda", False),
        (["data.cache=disk"], "cuda", False),
        (["data.cache=memory", "data.resizing=device"], "cuda", False),
        (["data.resizing=workers"], "cuda", False),
        (["data.resizing=device"], "cpu", True),
        (["data.resizing=device", "benchmark=adversarial"], "cuda", True),
    ],
)
def test_a_gpu_resizes_where_runs_wait_for_their_workers(
    overrides: list[str], device: str, expected: bool
) -> None:
    assert resizes_later(composed(*overrides), device) is expected


def test_another_word_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^data\.resizing=gpu: .*auto, workers, device"):
        composed("data.resizing=gpu")


@pytest.fixture
def here(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(choose_reading, "_known", {})
    return go_there(toy, monkeypatch)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], True),
        (["preprocessing.interpolation=lanczos"], True),  # hands over no picture, but could
        (["benchmark=imagenet_w"], False),  # lays something over the pixels
    ],
)
def test_what_cannot_be_resized_later(here: Path, overrides: list[str], expected: bool) -> None:
    plan = planned("data.resizing=device", *(o for o in overrides if "benchmark" not in o))
    if any("benchmark" in override for override in overrides):

        class Finishing:
            def finish(self, pixels: Any) -> Any:
                return pixels

        benchmark: Any = Finishing()
        plan = replace(plan, benchmark=benchmark)
    assert resized_later(plan) is expected


@pytest.mark.parametrize(
    ("same", "said"), [(False, "it makes other pixels"), (RuntimeError("no room"), "no room")]
)
def test_a_device_that_makes_other_pixels_does_not_resize(
    here: Path,
    same: bool | RuntimeError,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def answer(*_: object) -> bool:
        if isinstance(same, RuntimeError):
            raise same
        return same

    monkeypatch.setattr(choose_reading, "_same", answer)
    plan = planned("data.resizing=device")
    with caplog.at_level(logging.WARNING):
        assert [resized_later(plan) for _ in range(2)] == [False, False]
    (record,) = caplog.records
    assert record.getMessage() == f"data.resizing: the workers resize, not cpu: {said}"


def test_the_records_are_the_same_bytes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    for name, size in (("large", (300, 250, 3)), ("tall", (200, 60, 3)), ("done", (36, 36, 3))):
        pixels = random.integers(0, 256, size, np.uint8)
        Image.fromarray(pixels).save(here / "data/imagenet/val" / WNIDS[0] / f"{name}.JPEG")
    monkeypatch.setattr("oodbench.preprocessing.LARGEST", 100_000)
    packed_sizes = []

    def packing(pictures: Any, memory: Any) -> Any:
        packed_sizes.append(len(pictures))
        return unpatched(pictures, memory)

    unpatched = batches.packed
    monkeypatch.setattr(batches, "packed", packing)
    roots = []
    for resizing in ("workers", "device"):
        for loader in ("threads", "processes"):
            root = f"{resizing}-{loader}"
            more = ("data.workers=2", f"data.loader={loader}", f"output_root={root}")
            assert execute(planned(f"data.resizing={resizing}", *more)) is not None
            roots.append(run_bytes(here / root))
        assert bool(packed_sizes) is (resizing == "device")
    assert sum(packed_sizes) == 2 * 63
    assert roots[0]
    assert all(found == roots[0] for found in roots)


def test_an_attack_gets_them_too(here: Path) -> None:
    common = ("benchmark=adversarial", "limit=3", "attack.iterations=2")
    for resizing in ("workers", "device"):
        assert execute(planned(*common, f"data.resizing={resizing}", f"output_root={resizing}"))
    assert run_bytes(here / "device") == run_bytes(here / "workers") != {}
