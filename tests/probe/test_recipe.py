import numpy as np
import pytest
from probe_toys import recipe

from oodbench.probe.recipe import batches, epoch_order, learning_rate, share

# main_lincls.py of facebookresearch/moco and the published table's 15 epochs, written by hand.
FIFTEEN = [30.0] * 12 + [3.0] * 2 + [0.3]
HUNDRED = [30.0] * 60 + [3.0] * 20 + [0.3] * 20


@pytest.mark.parametrize(
    ("name", "rates"), [("published_15_epochs", FIFTEEN), ("moco_100_epochs", HUNDRED)]
)
def test_published_learning_rates(name: str, rates: list[float]) -> None:
    used = recipe(name)
    found = [learning_rate(used, epoch) for epoch in range(used.epochs)]
    assert found == pytest.approx(rates, rel=1e-12)


@pytest.mark.parametrize("name", ["published_15_epochs", "moco_100_epochs"])
def test_published_numbers(name: str) -> None:
    used = recipe(name)
    assert (used.momentum, used.weight_decay, used.batch_size) == (0.9, 0.0, 256)
    assert used.augment == "published"


def test_every_epoch_has_its_own_order_of_all_pictures() -> None:
    first = epoch_order(1000, seed=0, epoch=0)
    assert sorted(first) == list(range(1000))
    assert (first == epoch_order(1000, seed=0, epoch=0)).all()
    for other in (epoch_order(1000, seed=0, epoch=1), epoch_order(1000, seed=1, epoch=0)):
        assert (first != other).any()


def test_batches_leave_nothing_out() -> None:
    pieces = batches(np.arange(10), 4)
    assert [piece.tolist() for piece in pieces] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_processes_share_every_batch() -> None:
    pieces = batches(np.arange(9), 4)
    shares = [share(pieces, rank=rank, world=2) for rank in (0, 1)]
    assert [piece.tolist() for piece in shares[0]] == [[0, 2], [4, 6], [8]]
    assert [piece.tolist() for piece in shares[1]] == [[1, 3], [5, 7], []]
