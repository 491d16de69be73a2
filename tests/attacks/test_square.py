"""The Square Attack against torchattacks, which has the authors' code, with the same draws."""

from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
import torchattacks
from attack_toys import CLASSES, SIDE, conv_net, fill_batches_up, mlp, pictures, predictions
from torch import Tensor, nn

from oodbench.attacks.autoattack import AutoAttack
from oodbench.attacks.base import AttackResult
from oodbench.attacks.checks import ImageError, check_result
from oodbench.attacks.libraries.randomness import PerImageRandomness
from oodbench.attacks.square import Square
from oodbench.attacks.squares import L2Squares
from oodbench.core.errors import ConfigError

COUNT = 20
SEEDS = list(range(3, 3 + COUNT))
NETWORKS = {"conv_net": conv_net, "mlp": mlp}


def labelled(network: nn.Module) -> tuple[Tensor, Tensor]:
    """Every tenth picture is misclassified without an attack."""
    images = pictures(COUNT)
    labels = predictions(network, images)
    labels[::10] = (labels[::10] + 1) % CLASSES
    return images, labels


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("eps", [0.02, 0.06])
def test_a_picture_alone_is_attacked_as_by_the_authors(name: str, eps: float) -> None:
    network = NETWORKS[name]()
    images, labels = labelled(network)
    found = Square(name="s", eps=eps, queries=60)(network, images, labels, SEEDS)
    compared = 0
    for row, seed in enumerate(SEEDS):
        one = slice(row, row + 1)
        theirs: Any = torchattacks.Square(network, eps=eps, n_queries=60)
        theirs.set_device("cpu")
        with PerImageRandomness([seed]):
            expected = theirs(images[one], labels[one])
        fooled = bool(predictions(network, expected) != labels[row])
        assert bool(found.succeeded[row]) == fooled
        if fooled:  # of a failure the library gives the clean picture back
            # Its stripes and squares are of float32 height.
            torch.testing.assert_close(found.images[one], expected, atol=1e-8, rtol=0)
            compared += int(found.iterations[row] > 1)
    assert compared >= 1
    assert 2 < found.succeeded.sum() < COUNT


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.01), ("l2", 0.1)])
@pytest.mark.parametrize("count", [1, 3, COUNT])
def test_queries_that_share_a_pass_are_those_that_follow_each_other(
    norm: str, eps: float, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = mlp()
    images, labels = pictures(COUNT), predictions(network, pictures(COUNT))
    seen: list[int] = []

    def attacked(rows: Tensor) -> AttackResult:
        seen.clear()
        attack = Square(name="s", norm=norm, eps=eps, queries=60, micro_batch=128)
        return attack(network, images[rows], labels[rows], [SEEDS[row] for row in rows.tolist()])

    resisting = (~attacked(torch.arange(COUNT)).succeeded).nonzero().flatten()
    rows = torch.arange(COUNT) if count == COUNT else resisting[:count]
    network.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    alone = attacked(rows)
    passes = len(seen)
    assert passes == 62
    fill_batches_up(monkeypatch)
    found = attacked(rows)
    assert set(seen) <= {2, 8, 16, 32}
    assert len(seen) <= passes * {1: 0.6, 3: 0.9, COUNT: 1}[count]
    torch.testing.assert_close(found.images, alone.images, atol=1e-12, rtol=0)
    assert torch.equal(found.succeeded, alone.succeeded)
    assert torch.equal(found.iterations, alone.iterations)
    torch.testing.assert_close(found.columns, alone.columns)
    assert (~found.succeeded).sum() >= min(count, len(resisting))


def as_the_authors(attack: Any) -> Any:
    """The library adds up over the channels what max-andr/square-attack keeps for each of them.

    A query asks for three lengths: of the whole change, of what the two windows hold, and of the
    new change. The second is that of each channel (`axis=(2, 3)` in attack.py of the authors).
    """
    whole, asked = attack.lp_norm, count()

    def length(change: Tensor) -> Tensor:
        if next(asked) % 3 == 1:
            return change.square().sum((2, 3), keepdim=True).sqrt()
        return torch.as_tensor(whole(change))

    attack.lp_norm = length
    return attack


def test_l2_by_hand() -> None:
    """One query, worked out in NumPy after section 3.4 and the authors' attack.py."""
    rng = np.random.default_rng(0)
    eps, side, size = 0.9, 3, 7
    before = rng.normal(size=(3, size, size)) / 40
    generator = torch.Generator().manual_seed(5)
    changed = L2Squares(eps).changed(torch.from_numpy(before)[None], side, [generator])[0].numpy()
    # The same draws: two corners, which way the pyramids lie, a sign for each channel.
    again = torch.Generator().manual_seed(5)
    corners = [int((size - side) * torch.rand(1, generator=again)) for _ in range(4)]
    (top, left), (other_top, other_left) = corners[:2], corners[2:]
    lying = bool(torch.rand(1, generator=again) > 0.5)
    signs = (2 * torch.rand((3, 1, 1), generator=again) - 1).sign().numpy()
    # Of height 1 and 2: rectangles around the middle, one higher by 1 and by 1 / 4.
    upper = np.array([[0.25, 1.25, 0.25]])
    lower = -np.array([[0.25, 0.25, 0.25], [0.25, 1.25, 0.25]])
    upper[0, [0, 2]] = 0.25
    pyramids = np.vstack([upper / np.linalg.norm(upper), lower / np.linalg.norm(lower)])
    pyramids /= np.linalg.norm(pyramids)
    pyramids = (pyramids.T if lying else pyramids) * signs
    window = np.s_[:, top : top + side, left : left + side]
    other = np.s_[:, other_top : other_top + side, other_left : other_left + side]
    either = np.zeros_like(before)
    either[window] = either[other] = 1
    held = before[window]
    new = pyramids + held / np.sqrt((held**2).sum((1, 2), keepdims=True))
    unused = max(eps**2 - (before**2).sum(), 0) / 3
    length = np.sqrt(unused + ((before * either) ** 2).sum((1, 2), keepdims=True))
    expected = before.copy()
    expected[other] = 0
    expected[window] = new / np.sqrt((new**2).sum((1, 2), keepdims=True)) * length
    expected *= eps / np.linalg.norm(expected)
    np.testing.assert_allclose(changed, expected, atol=1e-9)


@pytest.mark.parametrize(("side", "eps"), [(15, 0.2), (10, 0.6)])
def test_l2_is_that_of_the_authors(side: int, eps: float) -> None:
    """At sides that five tiles fill as theirs do: they fail at the toys' own."""
    network = conv_net()
    images = nn.functional.interpolate(pictures(12), size=side, mode="bilinear").clamp(0, 1)
    labels = predictions(network, images)
    found = Square(name="s", norm="l2", eps=eps, queries=30)(network, images, labels, SEEDS[:12])
    passed: list[Tensor] = []
    network.register_forward_pre_hook(lambda module, inputs: passed.append(inputs[0].clone()))
    later = 0
    for row, seed in enumerate(SEEDS[:12]):
        one = slice(row, row + 1)
        theirs = as_the_authors(torchattacks.Square(network, norm="L2", eps=eps, n_queries=30))
        theirs.set_device("cpu")
        passed.clear()
        with PerImageRandomness([seed]):
            theirs(images[one], labels[one])
        fooled = bool(predictions(network, passed[-1]) != labels[row])
        assert bool(found.succeeded[row]) == fooled
        if fooled:  # of a failure the library gives the clean picture back
            torch.testing.assert_close(found.images[one], passed[-1], atol=1e-6, rtol=0)
            later += int(found.iterations[row] > 2)
    assert later >= 1
    assert (found.images - images).flatten(1).norm(dim=1).max() <= eps + 1e-9


def test_l2_uses_all_of_its_radius() -> None:
    network, images = conv_net(), torch.full((3, 3, SIDE, SIDE), 0.5, dtype=torch.float64)
    labels = predictions(network, images)
    found = Square(name="s", norm="l2", eps=0.1, queries=20)(network, images, labels, SEEDS[:3])
    lengths = (found.images - images).flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 0.1))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pictures_that_are_not_square(norm: str) -> None:
    network, images = conv_net(), pictures(4)[:, :, :7]
    labels = predictions(network, images)
    attack = Square(name="s", norm=norm, eps=0.05, queries=15, first_area=1.0)
    result = attack(network, images, labels, SEEDS[:4])
    check_result(images, result, 0.05, attack.norm)


def test_the_picture_with_the_lowest_margin_comes_back() -> None:
    network = conv_net()
    images, labels = labelled(network)
    found = Square(name="s", eps=0.02, queries=40)(network, images, labels, SEEDS)
    logits = network(found.images)
    of_label = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    torch.testing.assert_close(
        found.columns["attack_margin"].double(), of_label - others, atol=1e-5, rtol=0
    )
    assert torch.equal(found.succeeded, logits.argmax(1) != labels)
    assert (found.iterations[~found.succeeded] == 41).all()
    assert found.iterations[::10].tolist() == [0, 0]
    assert torch.equal(found.images[::10], images[::10])
    few = Square(name="s", eps=0.02, queries=1)(network, images, labels, SEEDS)
    resists = ~found.succeeded
    assert (found.columns["attack_margin"] <= few.columns["attack_margin"])[resists].all()


def test_neither_batch_nor_its_order_matters() -> None:
    network = conv_net()
    images, labels = labelled(network)
    whole = Square(name="s", eps=0.03, queries=30)(network, images, labels, SEEDS)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(0))
    small = Square(name="s", eps=0.03, queries=30, micro_batch=3)
    turned = small(network, images[order], labels[order], [SEEDS[row] for row in order.tolist()])
    assert torch.equal(whole.iterations[order], turned.iterations)
    torch.testing.assert_close(whole.images[order], turned.images, atol=1e-12, rtol=0)


@pytest.mark.parametrize("queries", [60, 5000, 10_000])
def test_sides_are_those_of_the_authors(queries: int) -> None:
    theirs = torchattacks.Square(conv_net(), n_queries=queries, p_init=0.8)
    ours = Square(name="s", eps=0.1, queries=queries)
    l2 = Square(name="s", norm="l2", eps=0.1, queries=queries)
    for query in range(0, queries, max(queries // 500, 1)):
        area = theirs.p_selection(query) * 224 * 200
        assert ours.side(query, torch.Size((3, 224, 200))) == max(round(area**0.5), 1)
        side = max(round(area**0.5), 3)
        expected = side if side % 2 else side + 1
        assert l2.side(query, torch.Size((3, 224, 200))) == expected


def test_a_schedule_that_is_not_rescaled() -> None:
    theirs = torchattacks.Square(conv_net(), n_queries=5000, p_init=0.8, resc_schedule=False)
    ours = Square(name="s", eps=0.1, queries=5000, rescale_schedule=False)
    for query in range(0, 5000, 7):
        area = theirs.p_selection(query) * 224 * 224
        assert ours.side(query, torch.Size((3, 224, 224))) == max(round(area**0.5), 1)
    assert not AutoAttack(name="aa", eps=0.1).attacks[3].rescale_schedule  # type: ignore[attr-defined]


def test_no_radius_changes_nothing() -> None:
    network = mlp(torch.float32)
    images, labels = labelled(mlp())
    for norm in ("linf", "l2"):
        attack = Square(name="s", norm=norm, eps=0.0, queries=3)
        found = attack(network, images.float(), labels, SEEDS)
        assert torch.equal(found.images, images.float())


def test_no_gradient_is_taken() -> None:
    network = mlp()
    asked: list[bool] = []
    network.register_forward_hook(
        lambda module, inputs, output: asked.append(inputs[0].requires_grad or output.requires_grad)
    )
    images, labels = labelled(mlp())
    Square(name="s", eps=0.02, queries=5)(network, images, labels, SEEDS)
    assert asked
    assert not any(asked)


class NotANumber(nn.Module):
    """NaN for the second picture of a batch."""

    def forward(self, images: Tensor) -> Tensor:
        logits = images.flatten(2).mean(2).clone()
        logits[1:2] = torch.nan
        return logits


def test_mistakes() -> None:
    images = torch.full((2, 3, SIDE, SIDE), 0.5)
    labels = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(ImageError, match="image 1 .* NaN at query 0"):
        Square(name="s", eps=0.1)(NotANumber(), images, labels, [1, 2])
    wrong: dict[str, Any]
    for wrong in ({"eps": 8}, {"norm": "l1"}, {"queries": 0}, {"first_area": 2.0}):
        with pytest.raises(ConfigError, match=rf"attack\.{next(iter(wrong))}="):
            Square(**{"name": "s", "eps": 0.1, **wrong})
