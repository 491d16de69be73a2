"""Pixels that are resized in batches against those of Pillow, one by one: the same, all of them."""

from typing import Any

import cuda_stand_ins
import numpy as np
import pytest
import torch
from engine_toys import classifier, expected
from unresized_toys import KINDS, batch_of, pictures

from oodbench.core.resampling.packed import packed, resized_already
from oodbench.engines import resizing
from oodbench.engines.cuda import CudaForward
from oodbench.engines.eager import EagerEngine
from oodbench.engines.halving import HalvingForward
from oodbench.engines.resizing import pixels_of
from oodbench.preprocessing import Preprocessing


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_pixels_are_pillow_s(kind: dict[str, Any]) -> None:
    batch, wanted = batch_of(Preprocessing(**kind), 40)
    found = pixels_of(batch)
    assert found.dtype == np.uint8
    assert np.array_equal(found, wanted)


def test_in_parts_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, wanted = batch_of(Preprocessing(resize=40, crop=32), 20)
    for together in (1, 100_000):
        monkeypatch.setattr(resizing, "AT_ONCE", together)
        assert np.array_equal(pixels_of(batch), wanted)
        assert np.array_equal(pixels_of(batch[3:7]), wanted[3:7])


def test_beside_pictures_that_are_resized_already() -> None:
    preprocessing = Preprocessing(resize=40, crop=32)
    picture = next(pictures(1))
    done, unresized = preprocessing(picture), preprocessing.unresized(picture)
    assert unresized is not None
    found = pixels_of(packed([resized_already(done), unresized, resized_already(255 - done)]))
    assert np.array_equal(found, np.stack([done, done, 255 - done]))


def test_a_finished_batch_is_left_as_it_is() -> None:
    done = np.zeros((2, 4, 4, 3), np.uint8)
    assert pixels_of(done) is done


@pytest.mark.parametrize("on_cuda", [False, True])
def test_a_forward_pass_takes_them(on_cuda: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier()
    batch, wanted = batch_of(Preprocessing(resize=48, crop=40), 12)
    if on_cuda:
        cuda_stand_ins.pretend(monkeypatch)
        forward = HalvingForward(
            CudaForward("mine", model, wanted[:2], precision="fp32"), torch.device("cpu")
        )
    else:
        forward = HalvingForward(EagerEngine().prepare(model, wanted[:2]), torch.device("cpu"))
    assert forward.resizes
    forward.most = 5  # as after memory ran out
    np.testing.assert_allclose(forward.start(batch).result(), expected(model, wanted), atol=1e-4)
