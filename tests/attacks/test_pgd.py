"""PGD against plain loops of one picture, foolbox 3 and torchattacks, and what always holds."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchattacks
from attack_toys import CLASSES, conv_net, mlp, pictures, predictions
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from omegaconf import OmegaConf
from torch import Tensor, nn

from oodbench.attacks.base import AttackResult, generator_of
from oodbench.attacks.checks import check_result
from oodbench.attacks.pgd import FGSM, PGD
from oodbench.core.building import build
from oodbench.core.errors import AttackError, ConfigError
from oodbench.metrics.intervals import rate
from oodbench.sweeps.composing import register_all

COUNT = 40
ITERATIONS = 6
RADII = {"linf": 0.02, "l2": 0.25}
CONF = Path(__file__).parents[2] / "conf" / "attack"
FOOLBOX_WARNING = pytest.mark.filterwarnings(
    # foolbox 3.3.4 imports gaussian_filter from the namespace that SciPy has moved it out of.
    "ignore:Please import `gaussian_filter`:DeprecationWarning"
)


def pgd(norm: str = "linf", **arguments: Any) -> PGD:
    eps = arguments.pop("eps", RADII[norm])
    # On networks this small a batch takes as long as a picture.
    usual = {"step_size": eps / 4, "iterations": ITERATIONS, "micro_batch": 100}
    return PGD(name="pgd", norm=norm, eps=eps, **usual | arguments)


def labels_of(network: nn.Module, images: Tensor) -> Tensor:
    """Most are right; every tenth is wrong."""
    labels = predictions(network, images)
    labels[::10] = (labels[::10] + 1) % CLASSES
    return labels


def attacked(attack: PGD, network: nn.Module, images: Tensor, labels: Tensor) -> AttackResult:
    return attack(network, images, labels, list(range(len(images))))


# One picture at a time, in NumPy but for the gradient.


def gradient_and_prediction(
    network: nn.Module, image: NDArray[Any], pursued: int
) -> tuple[NDArray[Any], int, float]:
    leaf = torch.from_numpy(image)[None].requires_grad_()
    logits = network(leaf)
    loss = logits.logsumexp(1)[0] - logits[0, pursued]
    (gradient,) = torch.autograd.grad(loss, leaf)
    return gradient[0].numpy(), int(logits.argmax()), float(loss.detach())


def start_of(norm: str, eps: float, shape: tuple[int, ...], generator: torch.Generator) -> Any:
    draw = torch.empty(shape, dtype=torch.float64)
    if norm == "linf":
        return draw.uniform_(-eps, eps, generator=generator).numpy()
    direction = draw.normal_(generator=generator).numpy()
    share = float(torch.rand((), dtype=torch.float64, generator=generator))
    return direction / np.linalg.norm(direction) * eps * share ** (1 / direction.size)


def reference(
    network: nn.Module,
    clean: NDArray[Any],
    label: int,
    generator: torch.Generator,
    norm: str,
    eps: float,
    iterations: int,
    targets: list[int],
    restarts: int,
    any_error: bool,
) -> tuple[NDArray[Any], bool, int, float]:
    """Picture, success, iterations and loss; `targets` is empty for an untargeted attack."""
    pursued = targets[0] if targets else label
    _, prediction, clean_loss = gradient_and_prediction(network, clean, pursued)

    def won(prediction: int, pursued: int) -> bool:
        return prediction != label if any_error else prediction == pursued

    if won(prediction, pursued):
        return clean, True, 0, clean_loss
    best, taken = (clean, np.inf), 0
    for run in range(restarts * max(1, len(targets))):
        pursued = targets[run % len(targets)] if targets else label
        sign = 1 if targets else -1
        image = np.clip(clean + start_of(norm, eps, clean.shape, generator), 0, 1)
        for _ in range(iterations):
            gradient, _, _ = gradient_and_prediction(network, image, pursued)
            direction = np.sign(gradient) if norm == "linf" else gradient / np.linalg.norm(gradient)
            offset = image - sign * eps / 4 * direction - clean
            if norm == "linf":
                offset = np.clip(offset, -eps, eps)
            else:
                offset = offset * min(1, eps / np.linalg.norm(offset))
            image = np.clip(clean + offset, 0, 1)
            taken += 1
            _, prediction, loss = gradient_and_prediction(network, image, pursued)
            if won(prediction, pursued):
                return image, True, taken, loss
        if sign * loss < best[1]:
            best = image, sign * loss
    return best[0], False, taken, abs(best[1])


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(
    ("target", "restarts", "scale", "iterations"),
    [
        ("none", 1, 1, 6),
        ("none", 4, 1, 2),
        ("random", 3, 2, 3),
        ("least_likely", 1, 4, 6),
        ("top_k", 1, 1, 3),
        ("top_k", 2, 1, 2),
    ],
)
def test_equals_a_loop_of_one_picture(
    norm: str, target: str, restarts: int, scale: int, iterations: int
) -> None:
    network, images = conv_net(), pictures(50)
    labels, eps = labels_of(network, images), scale * RADII[norm]
    attack = pgd(
        norm,
        eps=eps,
        iterations=iterations,
        target=target,
        top_k=2,
        restarts=restarts,
        micro_batch=7,
    )
    found = attacked(attack, network, images, labels)
    order = network(images).argsort(dim=1, stable=True).tolist()
    outcomes = Counter[str]()
    for i in range(len(images)):
        label = int(labels[i])
        others = [index for index in order[i] if index != label]
        generator = generator_of(i)
        targets = {"none": [], "least_likely": others[:1], "top_k": others[::-1][:2]}.get(target)
        if targets is None:  # random: the first draw of the image's generator
            targets = [sorted(others)[int(torch.randint(7, (1,), generator=generator))]]
        image, succeeded, taken, loss = reference(
            network,
            images[i].numpy(),
            label,
            generator,
            norm,
            eps,
            iterations,
            targets,
            restarts,
            any_error=target in ("none", "top_k"),
        )
        assert bool(found.succeeded[i]) == succeeded
        assert int(found.iterations[i]) == taken
        np.testing.assert_allclose(found.images[i].numpy(), image, atol=1e-6, rtol=0)
        assert found.columns["attack_loss"][i].item() == pytest.approx(loss, abs=1e-5)
        outcomes[f"success in run {-(-taken // iterations)}" if succeeded else "failure"] += 1
    assert len(outcomes) >= (3 if restarts > 1 or target == "top_k" else 2), outcomes


@FOOLBOX_WARNING
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("targeted", [False, True])
def test_equals_foolbox_3_from_the_same_start(norm: str, targeted: bool) -> None:
    from foolbox import Misclassification, PyTorchModel, TargetedMisclassification
    from foolbox.attacks import L2PGD, LinfPGD

    network, images = conv_net(), pictures()
    labels, eps = labels_of(network, images), RADII[norm]
    attack = pgd(norm, early_stop=False, target="least_likely" if targeted else "none")

    class Base(LinfPGD if norm == "linf" else L2PGD):  # type: ignore[misc]
        def get_random_start(self, x0: Any, epsilon: float) -> object:
            offsets = [
                torch.from_numpy(start_of(norm, eps, tuple(images.shape[1:]), generator_of(i)))
                for i in range(COUNT)
            ]
            return x0 + type(x0)(torch.stack(offsets))

    found = attacked(attack, network, images, labels)
    criterion = (
        TargetedMisclassification(found.columns["target"])
        if targeted
        else Misclassification(labels)
    )
    foreign = Base(abs_stepsize=eps / 4, steps=ITERATIONS, random_start=True)
    model = PyTorchModel(network, bounds=(0, 1), device="cpu")
    _, adversarial, hit = foreign(model, images, criterion, epsilons=eps)
    torch.testing.assert_close(found.images, adversarial, atol=1e-9, rtol=0)
    assert torch.equal(found.succeeded, hit)
    assert targeted or len(Counter(hit.tolist())) == 2


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("targeted", [False, True])
def test_equals_torchattacks(norm: str, targeted: bool) -> None:
    network, images = conv_net(), pictures()
    labels, eps = labels_of(network, images), RADII[norm]
    attack = pgd(
        norm,
        early_stop=False,
        random_start=False,
        target="least_likely" if targeted else "none",
    )
    found = attacked(attack, network, images, labels)
    peer = torchattacks.PGD if norm == "linf" else torchattacks.PGDL2
    library = peer(network, eps=eps, alpha=eps / 4, steps=ITERATIONS, random_start=False)
    pursued = labels
    if targeted:
        library.set_mode_targeted_by_label(quiet=True)
        pursued = found.columns["target"]
    torch.testing.assert_close(found.images, library(images, pursued), atol=1e-8, rtol=0)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_early_stop_succeeds_wherever_an_iterate_does(norm: str) -> None:
    network, images = conv_net(), pictures(100)
    labels = labels_of(network, images)
    early = attacked(pgd(norm), network, images, labels)
    hit = torch.zeros(100, dtype=torch.bool)
    for iterations in range(1, ITERATIONS + 1):
        attack = pgd(norm, early_stop=False, iterations=iterations)
        hit |= attacked(attack, network, images, labels).succeeded
    assert torch.equal(early.succeeded, hit | (predictions(network, images) != labels))


NETWORKS = {"conv": conv_net, "mlp": mlp}
TARGETS = ["none", "random", "least_likely", "top_k"]


@settings(max_examples=60, deadline=None)
@given(
    network=st.sampled_from(sorted(NETWORKS)),
    norm=st.sampled_from(["linf", "l2"]),
    share=st.floats(0, 1),
    step=st.floats(0, 0.5),
    iterations=st.integers(1, 4),
    restarts=st.integers(1, 2),
    target=st.sampled_from(TARGETS),
    random_start=st.booleans(),
    early_stop=st.booleans(),
    micro_batch=st.integers(1, 9),
    seed=st.integers(0, 2**62),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_norms_and_bounds_hold(
    network: str,
    norm: str,
    share: float,
    step: float,
    seed: int,
    dtype: torch.dtype,
    **arguments: Any,
) -> None:
    eps = share * (1 if norm == "linf" else 12)
    model, images = NETWORKS[network](dtype), pictures(8, dtype)
    labels, before = labels_of(model, images), images.clone()
    attack = pgd(norm, eps=eps, step_size=step * eps + step / 10, top_k=2, **arguments)
    result = attack(model, images, labels, [seed + i for i in range(8)])
    check_result(images, result, eps, attack.norm)
    assert result.images.dtype == dtype
    assert not result.images.requires_grad
    assert torch.equal(images, before)
    if arguments["target"] in ("none", "top_k") and dtype == torch.float64:
        assert torch.equal(predictions(model, result.images) != labels, result.succeeded)


@pytest.mark.slow
@pytest.mark.parametrize("network", sorted(NETWORKS))
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("target", TARGETS)
def test_zero_eps_gives_the_clean_images(network: str, norm: str, target: str) -> None:
    for dtype in (torch.float32, torch.float64):
        model, images = NETWORKS[network](dtype), pictures(dtype=dtype)
        labels = labels_of(model, images)
        attack = pgd(norm, eps=0.0, step_size=0.1, target=target, restarts=2)
        assert torch.equal(attacked(attack, model, images, labels).images, images)


@pytest.mark.slow
@pytest.mark.parametrize("network", sorted(NETWORKS))
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("target", ["none", "random", "least_likely"])
def test_success_does_not_fall_when_eps_doubles(network: str, norm: str, target: str) -> None:
    model, images = NETWORKS[network](), pictures(100)
    labels = labels_of(model, images)
    found = []
    for eps in [RADII[norm] * 2.0**power for power in range(-3, 4)]:
        attack = pgd(norm, eps=eps, target=target, iterations=10)
        found.append(rate(attacked(attack, model, images, labels).succeeded.numpy()))
    for smaller, larger in zip(found, found[1:], strict=False):
        assert larger.high >= smaller.value
    assert found[-1].value > found[0].value + 0.3


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_restarts_only_add_successes(norm: str) -> None:
    network, images = conv_net(), pictures(200)
    labels = labels_of(network, images)
    one = attacked(pgd(norm, iterations=2), network, images, labels)
    five = attacked(pgd(norm, iterations=2, restarts=5), network, images, labels)
    assert (five.succeeded | ~one.succeeded).all()
    assert five.succeeded.sum() > one.succeeded.sum()
    won = one.succeeded
    torch.testing.assert_close(five.images[won], one.images[won], atol=1e-12, rtol=0)
    assert set(five.iterations[~five.succeeded].tolist()) == {10}
    lost = ~five.succeeded
    assert (five.columns["attack_loss"][lost] >= one.columns["attack_loss"][lost]).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_same_bytes_again_and_the_same_results_in_other_batches(norm: str) -> None:
    network, images = conv_net(), pictures()
    labels, seeds = labels_of(network, images), list(range(COUNT))
    attack = pgd(norm, target="random", restarts=2)
    whole = attack(network, images, labels, seeds)
    for again in (attack, pgd(norm, target="random", restarts=2)):
        other = again(network, images, labels, seeds)
        assert torch.equal(other.images, whole.images)
        assert torch.equal(other.columns["attack_loss"], whole.columns["attack_loss"])
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(3)).tolist()
    for chosen in (order[:17], order[17:18], order[18:]):
        part = attack(network, images[chosen], labels[chosen], [seeds[i] for i in chosen])
        torch.testing.assert_close(part.images, whole.images[chosen], atol=1e-12, rtol=0)
        assert torch.equal(part.succeeded, whole.succeeded[chosen])
        assert torch.equal(part.iterations, whole.iterations[chosen])
        assert torch.equal(part.columns["target"], whole.columns["target"][chosen])


def test_float32_agrees_with_float64_in_success() -> None:
    images = pictures(200)
    labels = labels_of(conv_net(), images)
    low = attacked(pgd(), conv_net(torch.float32), images.float(), labels)
    high = attacked(pgd(), conv_net(), images, labels)
    assert (low.succeeded == high.succeeded).float().mean() >= 0.99


def test_fgsm_is_one_step_along_the_sign() -> None:
    network, images = conv_net(), pictures()
    labels = labels_of(network, images)
    found = FGSM(eps=0.02)(network, images, labels, [0] * COUNT)
    expected = torchattacks.FGSM(network, eps=0.02)(images, labels)
    right = predictions(network, images) == labels
    torch.testing.assert_close(found.images[right], expected[right], atol=1e-12, rtol=0)
    assert torch.equal(found.images[~right], images[~right])
    assert found.iterations.tolist() == right.long().tolist()
    assert torch.equal(found.succeeded, ~right | (predictions(network, expected) != labels))


class Failing(nn.Module):
    """NaN for the picture whose first pixel is marked, once it was moved."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = mlp()
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        marked = ((images[:, 0, 0, 0] - 0.25).abs() < 0.05) & (images[:, 1, 0, 0] != 0.75)
        return torch.as_tensor(self.inner(images).masked_fill(marked[:, None], torch.nan))


def test_nan_names_image_and_iteration() -> None:
    images = pictures().clamp(0.4, 1)
    images[13, :, 0, 0] = torch.tensor([0.25, 0.75, 0.5])
    labels = predictions(mlp(), images)
    network = Failing()
    attack = pgd(random_start=False, micro_batch=4)
    with pytest.raises(AttackError, match=r"image 13 .* of 40 gives logits .* NaN at iteration 1$"):
        attacked(attack, network, images, labels)
    assert network.calls < 40
    images[13, 1, 0, 0] = 0.5
    with pytest.raises(AttackError, match=r"image 13 .* NaN at iteration 0$"):
        attacked(attack, Failing(), images, labels)


def test_images_out_of_range_are_refused() -> None:
    network, images = mlp(), pictures()
    with pytest.raises(AttackError, match=r"outside \[0, 1\] before the attack"):
        attacked(pgd(), network, images * 2 - 1, predictions(network, images))


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"eps": -0.1}, r"attack\.eps=-0.1"),
        ({"eps": 8}, r"attack\.eps=8: above 1"),
        ({"eps": "8/255", "step_size": 0.1}, r"attack\.eps=8/255"),
        ({"step_size": -1.0}, r"attack\.step_size"),
        ({"iterations": 0}, r"attack\.iterations"),
        ({"restarts": 0}, r"attack\.restarts"),
        ({"micro_batch": 0}, r"attack\.micro_batch"),
        ({"target": "likely"}, r"attack\.target"),
    ],
)
def test_bad_values_name_their_key(values: dict[str, Any], key: str) -> None:
    if values.get("eps") == "8/255":
        with pytest.raises(ConfigError, match=key):
            PGD(name="x", iterations=1, **values)
        return
    with pytest.raises(ConfigError, match=key):
        pgd(**values)


def test_norm_that_it_lacks() -> None:
    with pytest.raises(ConfigError, match=r"attack\.norm=l1: this attack has linf, l2"):
        PGD(name="x", norm="l1", eps=0.1, step_size=0.1, iterations=1)


@pytest.mark.parametrize("early_stop", [True, False])
def test_pictures_of_the_target_are_left_as_they_are(early_stop: bool) -> None:
    network, images = mlp(), pictures()
    labels = predictions(network, images)
    found = attacked(pgd(target=3, early_stop=early_stop), network, images, labels)
    own = labels == 3
    assert 0 < own.sum() < len(images)
    assert torch.equal(found.columns["left_out"], own)
    assert torch.equal(found.images[own], images[own])
    assert not found.succeeded[own].any()
    assert (found.iterations[own] == 0).all()
    # The others are attacked as without them.
    others = attacked(pgd(target=3, early_stop=early_stop), network, images[~own], labels[~own])
    assert torch.equal(found.succeeded[~own], others.succeeded)
    following = attacked(pgd(target=3, target_is_label="next"), network, images, labels)
    assert torch.equal(following.columns["target"], torch.where(own, 4, 3))
    assert "left_out" not in following.columns


@pytest.mark.parametrize("context", [torch.no_grad, torch.enable_grad])
def test_leaves_no_gradients(context: Any) -> None:
    network, images = conv_net().train().requires_grad_(), pictures()
    labels = labels_of(conv_net(), images)
    expected = attacked(pgd(), conv_net(), images, labels)
    with context():
        found = attacked(pgd(), network, images.requires_grad_(), labels)
    assert torch.equal(found.images, expected.images)
    assert not found.columns["attack_loss"].requires_grad
    assert images.grad is None
    assert all(value.grad is None and value.requires_grad for value in network.parameters())
    assert not network.training


@pytest.mark.parametrize(
    ("name", "norm", "eps"),
    [("pgd_linf", "linf", 8 / 255), ("pgd_l2", "l2", 0.5), ("fgsm", "linf", 8 / 255)],
)
def test_configs(name: str, norm: str, eps: float) -> None:
    register_all()
    node: Any = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"), resolve=True)
    built = build(node, "attack")
    assert (built.name, built.norm, built.eps) == (name, norm, eps)
    network, images = conv_net(), pictures()
    result = attacked(built, network, images, predictions(network, images))
    check_result(images, result, built.eps, built.norm)
    assert result.succeeded.any()
