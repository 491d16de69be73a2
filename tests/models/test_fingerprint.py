"""Networks that compute the same have one hash, whatever computes otherwise has another."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from oodbench.models.fingerprint import fingerprint


def network() -> Any:
    """Convolution, normalisation with running values, a buffer that no checkpoint holds."""
    torch.manual_seed(0)
    made: Any = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten()
    )
    made.register_buffer("scale", torch.ones(2), persistent=False)
    return made


def changed(change: Callable[[Any], object]) -> str:
    made = network()
    change(made)
    return fingerprint(made).sha256


SAME = {
    "again": lambda made: None,
    "evaluating": lambda made: made.eval(),
    "frozen": lambda made: made.requires_grad_(False),
    "gradients": lambda made: made[0](torch.ones(1, 3, 4, 4)).sum().backward(),
    "strides": lambda made: made.to(memory_format=torch.channels_last),
}
OTHER = {
    "a weight": lambda made: made[0].weight.data[0, 0, 0, 0].add_(1e-7),
    "a bias": lambda made: made[0].bias.data.zero_(),
    "running values": lambda made: made[1].running_var.mul_(2),
    "a buffer that is not stored": lambda made: made.scale.zero_(),
    "a number": lambda made: setattr(made[1], "eps", 0.1),
    "padding": lambda made: setattr(made[0], "padding", (1, 1)),
    "a list": lambda made: setattr(made, "sizes", [1, 2]),
    "an array": lambda made: setattr(made, "mean", torch.ones(3).numpy()),
    "precision": lambda made: made.half(),
    "one more layer": lambda made: made.append(nn.Identity()),
    "another layer": lambda made: made.__setitem__(2, nn.GELU()),
    "a hook": lambda made: made[0].register_forward_hook(lambda *_: None),
    "a function": lambda made: setattr(made, "activation", torch.relu),
    "another function": lambda made: setattr(made, "activation", torch.tanh),
    "a lambda": lambda made: setattr(made, "activation", lambda x: x + 1),
    "another lambda": lambda made: setattr(made, "activation", lambda x: x + 2),
    "arguments": lambda made: setattr(made, "activation", partial(torch.clamp, min=0)),
    "other arguments": lambda made: setattr(made, "activation", partial(torch.clamp, min=1)),
}


@pytest.mark.parametrize("name", SAME)
def test_what_changes_no_output_changes_nothing(name: str) -> None:
    assert changed(SAME[name]) == changed(lambda made: None)


def test_what_changes_the_outputs_changes_the_hash() -> None:
    found = {name: changed(change) for name, change in OTHER.items()}
    found["nothing"] = changed(lambda made: None)
    assert len(set(found.values())) == len(found), found


def test_a_copy_is_the_same() -> None:
    made = network()
    assert fingerprint(copy.deepcopy(made)) == fingerprint(made)


def test_a_cell_of_a_closure_counts() -> None:
    def scaled(factor: float) -> Callable[[Any], Any]:
        return lambda images: images * factor

    one, other = (changed(lambda made, by=by: setattr(made, "scaled", scaled(by))) for by in (1, 2))
    assert one != other


def test_shared_and_equal_weights_are_told_apart() -> None:
    shared, equal = nn.Linear(2, 2), nn.Linear(2, 2)
    equal.load_state_dict(shared.state_dict())
    one = nn.Sequential(shared, shared)
    other = nn.Sequential(shared, equal)
    assert fingerprint(one).sha256 != fingerprint(other).sha256


def test_circles_end() -> None:
    made = network()
    made.myself = [made]
    assert fingerprint(made).unknown == ()


@pytest.mark.parametrize(
    "value",
    [
        object.__new__(type("Slots", (), {"__slots__": ()})),
        torch.eye(3).to_sparse(),
        (number for number in range(3)),
    ],
    ids=["slots", "sparse", "generator"],
)
def test_what_cannot_be_told_is_named(value: object) -> None:
    made = network()
    made[0].odd = value
    assert fingerprint(made).unknown == ("0.odd",)


def test_code_is_named_by_module_and_class() -> None:
    found = fingerprint(network()).code
    assert "torch.nn.modules.conv.Conv2d" in found

    class Inner(nn.Module):
        pass

    assert f"{__name__}.test_code_is_named_by_module_and_class" in fingerprint(Inner()).code
