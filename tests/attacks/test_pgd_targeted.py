"""The attack against foolbox 1.8.0's rules re-derived in NumPy, one picture at a time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chisquare
from torch import Tensor, nn

from oodbench.attacks.base import AttackResult, generator_of
from oodbench.attacks.checks import check_result
from oodbench.attacks.network_access import CPU_MICRO_BATCH
from oodbench.attacks.pgd_targeted import TargetedPGD
from oodbench.core.errors import ConfigError

Array = NDArray[np.float64]

EPS, STEP, ITERATIONS = 0.06, 2 / 255, 10
CLASSES, SHAPE = 6, (3, 4, 4)
COUNT = 160


class Toy(nn.Module):
    """Normalisation, 48 -> 12, tanh, 12 -> 6; remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(5)
        self.first = nn.Parameter(torch.from_numpy(random.normal(0, 0.12, (12, 48))))
        self.second = nn.Parameter(torch.from_numpy(random.normal(0, 1.2, (CLASSES, 12))))
        self.seen: list[Tensor] = []
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images.detach().clone())
        pixels = ((images - 0.45) / 0.225).flatten(1)
        return torch.tanh(pixels @ self.first.T) @ self.second.T


@dataclass
class Attacked:
    image: Array
    succeeded: bool
    iterations: int
    target: int
    trajectory: list[Array]


def numpy_logits(toy: Toy, image: Array) -> Array:
    hidden = np.tanh(toy.first.numpy() @ ((image - 0.45) / 0.225).ravel())
    return np.asarray(toy.second.numpy() @ hidden)


def numpy_gradient(toy: Toy, image: Array, target: int) -> Array:
    first, second = toy.first.numpy(), toy.second.numpy()
    hidden = np.tanh(first @ ((image - 0.45) / 0.225).ravel())
    logits = second @ hidden
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    probabilities[target] -= 1
    gradient = first.T @ ((second.T @ probabilities) * (1 - hidden**2)) / 0.225
    return np.asarray(gradient.reshape(image.shape))


def numpy_attack(toy: Toy, clean: Array, label: int, seed: int, eps: float = EPS) -> Attacked:
    """Section 7 of the protocol, as loops."""
    generator = generator_of(seed)
    others = [index for index in range(CLASSES) if index != label]
    target = others[int(torch.randint(len(others), (1,), generator=generator))]
    noise = torch.empty(SHAPE, dtype=torch.float64).uniform_(-eps, eps, generator=generator)
    if np.argmax(numpy_logits(toy, clean)) == target:
        return Attacked(clean, True, 0, target, [])
    image = clean + noise.numpy()
    trajectory = [image]
    for iteration in range(1, ITERATIONS + 1):
        image = image - STEP * np.sign(numpy_gradient(toy, image, target))
        image = clean + np.clip(image - clean, -eps, eps)
        image = np.clip(image, 0, 1)
        trajectory.append(image)
        if np.argmax(numpy_logits(toy, image)) == target:
            return Attacked(image, True, iteration, target, trajectory)
    return Attacked(clean, False, ITERATIONS, target, trajectory)


def pictures(count: int = COUNT) -> Tensor:
    """float64 in [0, 1], with many pixels at both ends."""
    random = np.random.default_rng(11)
    return torch.from_numpy(np.clip(random.uniform(-0.2, 1.2, (count, *SHAPE)), 0, 1))


def labels_of(count: int = COUNT) -> Tensor:
    return torch.from_numpy(np.random.default_rng(12).integers(0, CLASSES, count))


def attack(
    eps: float = EPS, iterations: int = ITERATIONS, micro_batch: int = CPU_MICRO_BATCH
) -> TargetedPGD:
    return TargetedPGD(eps=eps, step_size=STEP, iterations=iterations, micro_batch=micro_batch)


def run_in_batches(toy: nn.Module, images: Tensor, labels: Tensor, size: int) -> AttackResult:
    seeds = list(range(len(images)))
    parts = [
        attack()(toy, images[i : i + size], labels[i : i + size], seeds[i : i + size])
        for i in range(0, len(images), size)
    ]
    return AttackResult(
        torch.cat([part.images for part in parts]),
        torch.cat([part.succeeded for part in parts]),
        torch.cat([part.iterations for part in parts]),
        {"target": torch.cat([part.columns["target"] for part in parts])},
    )


@pytest.mark.parametrize("micro_batch", [1, 3, CPU_MICRO_BATCH, COUNT])
def test_equals_the_numpy_attack(micro_batch: int) -> None:
    toy, images, labels = Toy(), pictures(), labels_of()
    found = attack(micro_batch=micro_batch)(toy, images, labels, list(range(COUNT)))
    expected = [numpy_attack(toy, images[i].numpy(), int(labels[i]), seed=i) for i in range(COUNT)]
    assert found.columns["target"].tolist() == [one.target for one in expected]
    assert found.succeeded.tolist() == [one.succeeded for one in expected]
    assert found.iterations.tolist() == [one.iterations for one in expected]
    for position, one in enumerate(expected):
        np.testing.assert_allclose(found.images[position].numpy(), one.image, atol=1e-6, rtol=0)
    # All three outcomes are common here, and so are late successes.
    on_target = sum(one.iterations == 0 for one in expected)
    failed = sum(not one.succeeded for one in expected)
    late = sum(one.succeeded and one.iterations > 3 for one in expected)
    assert min(on_target, failed, late) >= 10, (on_target, failed, late)


def test_every_iterate_equals_the_numpy_attack() -> None:
    images, labels = pictures(), labels_of()
    outside = 0
    for i in range(40):
        toy = Toy()
        attack()(toy, images[i : i + 1], labels[i : i + 1], [i])
        expected = numpy_attack(toy, images[i].numpy(), int(labels[i]), seed=i)
        assert len(toy.seen) == 1 + len(expected.trajectory)
        for seen, wanted in zip(toy.seen[1:], expected.trajectory, strict=True):
            np.testing.assert_allclose(seen[0].numpy(), wanted, atol=1e-6, rtol=0)
        # The start, and nothing after it, may lie outside the pixel range.
        outside += sum(bool(((start < 0) | (start > 1)).any()) for start in toy.seen[1:2])
        for iterate in toy.seen[2:]:
            assert iterate.min() >= 0
            assert iterate.max() <= 1
    assert outside > 20


@pytest.mark.parametrize("size", [1, 16])
def test_does_not_depend_on_the_batch(size: int) -> None:
    toy, images, labels = Toy(), pictures(), labels_of()
    whole = run_in_batches(toy, images, labels, COUNT)
    parts = run_in_batches(toy, images, labels, size)
    torch.testing.assert_close(parts.images, whole.images, atol=1e-12, rtol=0)
    assert torch.equal(parts.succeeded, whole.succeeded)
    assert torch.equal(parts.iterations, whole.iterations)
    assert torch.equal(parts.columns["target"], whole.columns["target"])


def test_finished_images_leave_the_batch() -> None:
    toy, images, labels = Toy(), pictures(), labels_of()
    result = attack(micro_batch=COUNT)(toy, images, labels, list(range(COUNT)))
    alive = [COUNT - int((result.iterations == 0).sum())]  # the starting points
    for iteration in range(1, ITERATIONS + 1):
        finished = result.succeeded & (result.iterations < iteration)
        alive.append(COUNT - int(finished.sum()))
    assert [len(seen) for seen in toy.seen] == [COUNT, *alive]


def test_places_of_finished_images_are_refilled() -> None:
    toy, images, labels = Toy(), pictures(), labels_of()
    result = attack(micro_batch=5)(toy, images, labels, list(range(COUNT)))
    sizes = [len(seen) for seen in toy.seen][COUNT // 5 :]  # after the clean images
    assert all(size == 5 for size in sizes[:-ITERATIONS])
    assert sizes == sorted(sizes, reverse=True)
    attacked = result.iterations > 0
    assert sum(sizes) == int((result.iterations[attacked] + 1).sum())


def test_zero_eps_changes_nothing() -> None:
    toy, images, labels = Toy(), pictures(), labels_of()
    clean = toy(images).argmax(1)
    result = attack(eps=0)(toy, images, labels, list(range(COUNT)))
    assert torch.equal(result.images, images)
    assert torch.equal(toy(result.images).argmax(1), clean)
    assert torch.equal(result.succeeded, clean == result.columns["target"])
    assert set(result.iterations.tolist()) == {0, ITERATIONS}


@settings(max_examples=25, deadline=None)
@given(
    eps=st.floats(0, 0.5),
    step=st.floats(0, 0.5),
    iterations=st.integers(1, 4),
    seed=st.integers(0, 2**63 - 1),
    double=st.booleans(),
)
def test_ball_range_and_type(
    eps: float, step: float, iterations: int, seed: int, double: bool
) -> None:
    dtype = torch.float64 if double else torch.float32
    toy, images, labels = Toy().to(dtype), pictures(8).to(dtype), labels_of(8)
    before = images.clone()
    pgd = TargetedPGD(eps=eps, step_size=step, iterations=iterations)
    result = pgd(toy, images, labels, [seed - i if seed >= 8 else seed + i for i in range(8)])
    check_result(images, result, eps)
    assert result.images.dtype == dtype
    assert not result.images.requires_grad
    assert torch.equal(images, before)
    assert result.images.data_ptr() != images.data_ptr()
    reached = toy(result.images).argmax(1) == result.columns["target"]
    assert torch.equal(reached, result.succeeded)
    assert torch.equal(result.images[~result.succeeded], images[~result.succeeded])


def test_types_of_the_columns() -> None:
    result = attack()(Toy(), pictures(5), labels_of(5), list(range(5)))
    assert result.succeeded.dtype == torch.bool
    assert result.iterations.dtype == torch.int64
    assert result.columns["target"].dtype == torch.int64
    assert result.columns["target"].shape == (5,)


def test_targets_are_uniform_over_the_other_classes() -> None:
    count, label = 3000, 2
    images = torch.full((count, *SHAPE), 0.5, dtype=torch.float64)
    result = attack(eps=0, iterations=1)(
        Toy(), images, torch.full((count,), label), list(range(count))
    )
    counts = torch.bincount(result.columns["target"], minlength=CLASSES)
    assert counts[label] == 0
    others = [int(value) for index, value in enumerate(counts) if index != label]
    assert chisquare(others).pvalue > 1e-3


def test_type_does_not_change_the_random_numbers() -> None:
    single, double = Toy().float(), Toy()
    images, labels = pictures(30), labels_of(30)
    seeds = list(range(30))
    low = attack(micro_batch=30)(single, images.float(), labels, seeds)
    high = attack(micro_batch=30)(double, images, labels, seeds)
    assert torch.equal(low.columns["target"], high.columns["target"])
    torch.testing.assert_close(single.seen[1].double(), double.seen[1], atol=1e-6, rtol=0)


def test_ties_go_to_the_lowest_index() -> None:
    class Constant(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.zeros(len(images), CLASSES) + 0 * images.sum()

    images, labels = pictures(60).float(), torch.ones(60, dtype=torch.int64)
    result = attack()(Constant(), images, labels, list(range(60)))
    assert torch.equal(result.succeeded, result.columns["target"] == 0)
    assert 0 < int(result.succeeded.sum()) < 60


@pytest.mark.parametrize("context", [torch.no_grad, torch.enable_grad])
def test_leaves_no_gradients(context: type[torch.no_grad | torch.enable_grad]) -> None:
    toy, images, labels = Toy().requires_grad_(), pictures(20), labels_of(20)
    expected = attack()(Toy(), images, labels, list(range(20)))
    images.requires_grad_()
    with context():
        result = attack()(toy, images, labels, list(range(20)))
        assert torch.is_grad_enabled() == (context is torch.enable_grad)
    assert torch.equal(result.images, expected.images)
    assert not result.images.requires_grad
    assert images.grad is None
    assert all(parameter.grad is None for parameter in toy.parameters())


def test_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    attack()(Toy(), pictures(4), labels_of(4), list(range(4)))
    assert torch.equal(torch.get_rng_state(), before)


def test_as_many_seeds_as_images() -> None:
    with pytest.raises(ValueError, match="zip"):
        attack()(Toy(), pictures(4), labels_of(4), [1, 2, 3])


@pytest.mark.filterwarnings(
    # foolbox 3.3.4 imports gaussian_filter from the namespace that SciPy has moved it out of.
    "ignore:Please import `gaussian_filter`:DeprecationWarning"
)
def test_equals_foolbox_3_from_the_same_start() -> None:
    """Without its early stop and its clipped start, foolbox 3 is the same algorithm."""
    from foolbox import PyTorchModel, TargetedMisclassification
    from foolbox.attacks import LinfPGD

    # No pixel is within eps of 0 or 1, so that foolbox's clipping of the start does nothing.
    toy, images, labels = Toy().float(), 0.1 + 0.8 * pictures().float(), labels_of()
    result = attack(micro_batch=COUNT)(toy, images, labels, list(range(COUNT)))
    alive = result.iterations > 0
    images, succeeded = images[alive], result.succeeded[alive]
    iterations, targets = result.iterations[alive], result.columns["target"][alive]
    start = toy.seen[1]

    class SharedStart(LinfPGD):  # type: ignore[misc]
        def get_random_start(self, x0: Any, epsilon: float) -> object:
            return type(x0)(start)

    model = PyTorchModel(toy, bounds=(0, 1), device="cpu")
    hit_by = torch.zeros(len(images), dtype=torch.bool)
    for steps in range(1, ITERATIONS + 1):
        pgd = SharedStart(abs_stepsize=STEP, steps=steps, random_start=True)
        criterion = TargetedMisclassification(targets)
        _, adversarial, hit = pgd(model, images, criterion, epsilons=EPS)
        first = hit & ~hit_by
        assert torch.equal(first, succeeded & (iterations == steps))
        torch.testing.assert_close(adversarial[first], result.images[alive][first])
        hit_by |= hit
    assert torch.equal(hit_by, succeeded)
    assert 0 < int(succeeded.sum()) < len(succeeded)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"eps": -0.1}, "attack.eps"),
        ({"eps": "8/255"}, "attack.eps"),
        ({"step_size": -1.0}, "attack.step_size"),
        ({"iterations": 0}, "attack.iterations"),
        ({"iterations": 2.5}, "attack.iterations"),
    ],
)
def test_bad_values_name_their_key(values: dict[str, object], key: str) -> None:
    arguments = {"eps": EPS, "step_size": STEP, "iterations": ITERATIONS} | values
    with pytest.raises(ConfigError, match=key):
        TargetedPGD(**arguments)  # type: ignore[arg-type]


def test_config_holds_the_published_parameters() -> None:
    from omegaconf import OmegaConf

    from oodbench.core.building import build
    from oodbench.sweeps.composing import register_all

    register_all()
    file = Path(__file__).parents[2] / "conf" / "attack" / "pgd_targeted.yaml"
    node: Any = OmegaConf.to_container(OmegaConf.load(file), resolve=True)
    built = build(node, "attack")
    assert isinstance(built, TargetedPGD)
    assert (built.name, built.eps, built.rules.iterations) == ("pgd_targeted", 0.06, 10)
    assert built.rules.step_size == pytest.approx(2 / 255, rel=1e-15)
