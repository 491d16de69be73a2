"""The training against plain PyTorch, and what it does when it is interrupted."""

from pathlib import Path

import numpy as np
import pytest
import torch
from probe_toys import CPU, fresh, recipe, synthetic, trainer
from torch.nn import functional

from oodbench.core.errors import ConfigError, DataError
from oodbench.probe.checkpoint import read_checkpoint, restore, write_checkpoint
from oodbench.probe.features import StoredFeatures
from oodbench.probe.recipe import epoch_order
from oodbench.probe.training import Interrupted, TrainingState, initial_state, loss_and_correct

Snapshot = list[torch.Tensor]


def snapshot(head: torch.nn.Linear, optimizer: torch.optim.Optimizer) -> Snapshot:
    parameters = (head.weight, head.bias)
    buffers = [optimizer.state[parameter]["momentum_buffer"] for parameter in parameters]
    return [tensor.detach().clone() for tensor in (*parameters, *buffers)]


def test_published_recipe_step_by_step_against_plain_torch() -> None:
    known, used = synthetic(600, 20, 7), recipe("published_15_epochs")
    state = fresh(known, used, 7)
    reference = torch.nn.Linear(20, 7)
    reference.load_state_dict(state.head.state_dict())
    ours: list[Snapshot] = []
    rates: list[float] = []

    def remember(state: TrainingState) -> None:
        ours.append(snapshot(state.head, state.optimizer))
        rates.append(state.optimizer.param_groups[0]["lr"])

    trainer(used, known, 600, known, after_step=remember).train(state)

    optimizer = torch.optim.SGD(reference.parameters(), lr=30.0, momentum=0.9, weight_decay=0.0)
    theirs: list[Snapshot] = []
    wanted_rates: list[float] = []
    inputs, labels = torch.from_numpy(known.features), torch.from_numpy(known.labels)
    for epoch, rate in enumerate([30.0] * 12 + [3.0] * 2 + [0.3]):
        optimizer.param_groups[0]["lr"] = rate
        order = torch.from_numpy(epoch_order(600, seed=0, epoch=epoch))
        for batch in order.split(256):
            optimizer.zero_grad()
            functional.cross_entropy(reference(inputs[batch]), labels[batch]).backward()
            optimizer.step()
            theirs.append(snapshot(reference, optimizer))
            wanted_rates.append(rate)

    # 600 pictures are batches of 256, 256 and 88: the small one is not left out.
    assert len(ours) == len(theirs) == 45
    assert rates == pytest.approx(wanted_rates, rel=1e-12)
    for mine, wanted in zip(ours, theirs, strict=True):
        for tensor, other in zip(mine, wanted, strict=True):
            assert torch.equal(tensor, other)


def test_weight_decay_spares_the_bias() -> None:
    known = synthetic(50, 6, 3)
    used = recipe("published_15_epochs", epochs=4, milestones=[], lr=0.1, weight_decay=0.5)
    state = fresh(known, used, 3)
    weight, bias = (p.detach().clone().requires_grad_() for p in state.head.parameters())
    trainer(used, known, 50, known).train(state)
    inputs, labels = torch.from_numpy(known.features), torch.from_numpy(known.labels)
    velocity = [torch.zeros_like(weight), torch.zeros_like(bias)]
    for _ in range(4):
        objective = (
            functional.cross_entropy(inputs @ weight.T + bias, labels)
            + 0.25 * weight.square().sum()
        )
        gradients = torch.autograd.grad(objective, (weight, bias))
        with torch.no_grad():
            for tensor, v, gradient in zip((weight, bias), velocity, gradients, strict=True):
                v.mul_(0.9).add_(gradient)
                tensor.sub_(0.1 * v)
    torch.testing.assert_close(state.head.weight, weight, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(state.head.bias, bias, rtol=1e-5, atol=1e-6)


def test_initial_weights_are_those_of_main_lincls() -> None:
    used = recipe("published_15_epochs")
    before = torch.get_rng_state()
    head = initial_state(2048, 1000, used, seed=3, device=CPU).head.requires_grad_(False)
    assert torch.equal(before, torch.get_rng_state())
    # Two million draws: the mean is within 5 standard errors, 5 * 0.01 / sqrt(2,048,000).
    assert abs(float(head.weight.mean())) < 3.5e-5
    assert float(head.weight.std()) == pytest.approx(0.01, rel=0.005)
    assert not head.bias.any()


def test_rows_hold_the_epochs_figures() -> None:
    features = np.eye(2, dtype=np.float32)[[0, 1, 0, 0]]
    known = StoredFeatures(features, np.array([0, 1, 0, 1]), CPU)
    used = recipe("published_15_epochs", epochs=1, milestones=[], lr=1e-9)
    state = initial_state(2, 2, used, seed=0, device=CPU)
    with torch.no_grad():
        state.head.weight.copy_(torch.eye(2))
    trainer(used, known, 4, known).train(state)
    # Logits (1, 0): the loss is log(1 + e^-1) where right, log(1 + e) where wrong.
    loss = (3 * np.log1p(np.exp(-1)) + np.log1p(np.e)) / 4
    (row,) = state.rows
    assert (row["epoch"], row["lr"]) == (1, 1e-9)
    assert (row["train_top1"], row["val_top1"]) == (0.75, 0.75)
    assert row["train_loss"] == pytest.approx(loss, rel=1e-6)
    assert row["val_loss"] == pytest.approx(loss, rel=1e-6)
    assert loss_and_correct(state.head, known)[1] == 3


def test_a_loss_that_is_no_number_is_refused() -> None:
    known, used = synthetic(20, 4, 3), recipe("published_15_epochs")
    known.features[5, 2] = np.inf
    with pytest.raises(ConfigError, match=r"epoch 1, step 1: the loss is nan: .*recipe.lr"):
        trainer(used, known, 20, known).train(fresh(known, used, 3))


@pytest.mark.parametrize("stop_at", [1, 3, 4, 6, 11])
def test_going_on_equals_no_interruption(stop_at: int, tmp_path: Path) -> None:
    """3 steps an epoch: within the first, at its end, at the start of the next, later."""
    known = synthetic(150, 9, 4)
    used = recipe("published_15_epochs", epochs=5, milestones=[3], batch_size=64)
    undisturbed = fresh(known, used, 4)
    trainer(used, known, 150, known).train(undisturbed)

    path, steps = tmp_path / "checkpoint.pt", []
    state = fresh(known, used, 4)

    def count(state: TrainingState) -> None:
        steps.append(state.step)

    with pytest.raises(Interrupted):
        trainer(
            used,
            known,
            150,
            known,
            after_step=count,
            stop_asked=lambda: len(steps) + 1 == stop_at,
        ).train(state)
    assert len(steps) == stop_at
    write_checkpoint(path, state, key="k")

    continued = fresh(known, used, 4)
    content = read_checkpoint(path, key="k")
    assert content is not None
    restore(continued, content)
    trainer(used, known, 150, known).train(continued)
    for mine, wanted in zip(
        snapshot(continued.head, continued.optimizer),
        snapshot(undisturbed.head, undisturbed.optimizer),
        strict=True,
    ):
        assert torch.equal(mine, wanted)
    assert continued.rows == undisturbed.rows


def test_damaged_or_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    known, used = synthetic(20, 4, 3), recipe("published_15_epochs")
    path = tmp_path / "checkpoint.pt"
    assert read_checkpoint(path, key="a") is None
    write_checkpoint(path, fresh(known, used, 3), key="a")
    with pytest.raises(DataError, match=r"checkpoint.pt: is no checkpoint of this training"):
        read_checkpoint(path, key="b")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="remove it to start anew"):
        read_checkpoint(path, key="a")
