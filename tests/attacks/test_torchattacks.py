import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
import torchattacks
from omegaconf import OmegaConf
from torch import Tensor, nn

from oodbench.attacks.checks import check_result
from oodbench.attacks.pgd import PGD as PgdOfOurs
from oodbench.attacks.torchattacks import TorchAttack
from oodbench.core.building import build
from oodbench.core.errors import AttackError, ConfigError
from oodbench.sweeps.composing import register_all

EPS, ALPHA, STEPS = 8 / 255, 2 / 255, 5
COUNT, CLASSES = 24, 5
PGD = {"eps": EPS, "alpha": ALPHA, "steps": STEPS, "random_start": True}


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Tanh(), nn.Flatten(), nn.Linear(216, CLASSES)
        )

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.body(images))


def network(dtype: torch.dtype = torch.float32) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return Network().eval().requires_grad_(False).to(dtype)


def pictures(dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(COUNT, 3, 8, 8, generator=generator, dtype=torch.float64).to(dtype)


def labels_of(model: nn.Module, images: Tensor) -> Tensor:
    """Most are right; every fifth is wrong."""
    labels = model(images).argmax(1)
    labels[::5] = (labels[::5] + 1) % CLASSES
    return torch.as_tensor(labels)


def pgd(**arguments: Any) -> TorchAttack:
    return TorchAttack(name="pgd_linf", attack="PGD", eps=EPS, arguments=PGD | arguments)


def test_without_random_start_it_is_the_library() -> None:
    model, images = network(), pictures()
    labels = labels_of(model, images)
    result = pgd(random_start=False)(model, images, labels, list(range(COUNT)))
    library = torchattacks.PGD(model, eps=EPS, alpha=ALPHA, steps=STEPS, random_start=False)
    expected = library(images, labels)
    assert torch.equal(result.images, expected)
    assert torch.equal(result.succeeded, model(expected).argmax(1) != labels)
    assert result.iterations.tolist() == [STEPS] * COUNT
    assert not result.images.requires_grad


def test_images_that_are_wrong_anyway_count_as_successes() -> None:
    model, images = network(), pictures()
    labels = labels_of(model, images)
    weak = TorchAttack(name="none", attack="VANILA", eps=0.0, arguments={})
    result = weak(model, images, labels, list(range(COUNT)))
    assert torch.equal(result.images, images)
    assert result.succeeded.nonzero().flatten().tolist() == list(range(0, COUNT, 5))
    assert result.iterations.tolist() == [0] * COUNT


def test_random_start_is_shared_with_the_library() -> None:
    """The start comes from the images' generators; from it on it is the library's own loop."""
    model, images = network(torch.float64), pictures(torch.float64)
    labels, seeds = labels_of(model, images), list(range(40, 40 + COUNT))
    result = pgd()(model, images, labels, seeds)
    starts = [
        torch.empty(3, 8, 8, dtype=torch.float64).uniform_(
            -EPS, EPS, generator=torch.Generator().manual_seed(seed)
        )
        for seed in seeds
    ]
    iterate = (images + torch.stack(starts)).clamp(0, 1)
    for _ in range(STEPS):
        iterate.requires_grad_()
        loss = nn.functional.cross_entropy(model(iterate), labels)
        (gradient,) = torch.autograd.grad(loss, iterate)
        iterate = iterate.detach() + ALPHA * gradient.sign()
        iterate = (images + (iterate - images).clamp(-EPS, EPS)).clamp(0, 1)
    torch.testing.assert_close(result.images, iterate, atol=1e-12, rtol=0)


RANDOM: dict[str, dict[str, Any]] = {
    "PGD": PGD,
    "PGDL2": {"eps": 0.5, "alpha": 0.1, "steps": 4},
    "FFGSM": {},
    "RFGSM": {"steps": 3},
    "TPGD": {"steps": 3},
    "EOTPGD": {"steps": 3},
    "GN": {},
    "APGD": {"eps": 0.1, "steps": 6},  # some images leave the batch before it draws
    "DIFGSM": {"steps": 3, "resize_rate": 0.5},  # draws one size for the whole batch
    "Square": {"eps": 0.1, "n_queries": 15},  # likewise
    "SPSA": {"nb_iter": 2, "nb_sample": 4, "max_batch_size": 4},  # bernoulli_
    "Pixle": {"max_iterations": 2, "restarts": 2},  # draws from NumPy
}


@pytest.mark.parametrize("name", RANDOM)
def test_does_not_depend_on_the_batch(name: str) -> None:
    model, images = network(), pictures()
    labels, seeds = labels_of(model, images), list(range(COUNT))
    attack = TorchAttack(name=name, attack=name, eps=None, arguments=RANDOM[name])
    found = []
    for size in (COUNT, 5, 1):
        torch.manual_seed(size)
        parts = [
            attack(model, images[i : i + size], labels[i : i + size], seeds[i : i + size])
            for i in range(0, COUNT, size)
        ]
        found.append(torch.cat([part.images for part in parts]))
    # Some attacks give clean images back where they fail: agreement on those would mean nothing.
    changed = (found[0] != images).flatten(1).any(1)
    assert changed.sum() >= 5
    for other in found[1:]:
        # Rounding can turn the sign of a vanishing gradient: nearly all pixels, not all.
        assert ((found[0] - other)[changed].abs() < 1e-5).float().mean() > 0.99


def test_pgd_does_not_depend_on_the_batch_in_float64() -> None:
    model, images = network(torch.float64), pictures(torch.float64)
    labels, seeds = labels_of(model, images), list(range(COUNT))
    whole = pgd()(model, images, labels, seeds)
    assert whole.images.dtype == torch.float64
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(3)).tolist()
    for chosen in (order[:7], order[7:8], order[8:11]):  # three: as many images as channels
        part = pgd()(model, images[chosen], labels[chosen], [seeds[i] for i in chosen])
        torch.testing.assert_close(part.images, whole.images[chosen], atol=1e-12, rtol=0)
        assert torch.equal(part.succeeded, whole.succeeded[chosen])


def test_other_seeds_other_images() -> None:
    model, images = network(), pictures()
    labels = labels_of(model, images)
    one = pgd()(model, images, labels, list(range(COUNT)))
    other = pgd()(model, images, labels, list(range(COUNT, 2 * COUNT)))
    assert (one.images != other.images).flatten(1).any(1).all()


def test_result_is_in_the_ball_and_the_clean_images_stay() -> None:
    model, images = network(), pictures()
    before, labels = images.clone(), labels_of(model, images)
    result = pgd()(model, images, labels, list(range(COUNT)))
    assert check_result(images, result, EPS).linf.max() > EPS / 2
    assert torch.equal(images, before)


def test_wrong_radius_is_found_by_the_check() -> None:
    model, images = network(), pictures()
    labels = labels_of(model, images)
    attack = TorchAttack(name="pgd", attack="PGD", eps=0.01, arguments=PGD)
    with pytest.raises(AttackError, match=r"linf.*attack\.eps=0\.01"):
        attack(model, images, labels, list(range(COUNT)))
    l2 = TorchAttack(name="pgd", attack="PGD", eps=0.1, norm="l2", arguments=PGD)
    with pytest.raises(AttackError, match=r"l2.*attack\.eps=0\.1"):
        l2(model, images, labels, list(range(COUNT)))


def test_l2_radius_is_kept() -> None:
    model, images = network(), pictures()
    arguments = {"eps": 0.5, "alpha": 0.2, "steps": STEPS}
    attack = TorchAttack(name="pgd", attack="PGDL2", eps=0.5, norm="l2", arguments=arguments)
    result = attack(model, images, labels_of(model, images), list(range(COUNT)))
    assert check_result(images, result, 0.5, "l2").l2.max() == pytest.approx(0.5, abs=1e-4)


def test_pictures_outside_the_range_are_refused_before_and_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, images = network(), pictures()
    labels, seeds = labels_of(model, images), list(range(COUNT))
    with pytest.raises(AttackError, match=r"outside \[0, 1\] before the attack"):
        pgd()(model, images * 2 - 1, labels, seeds)
    monkeypatch.setattr(torchattacks.VANILA, "forward", lambda self, images, labels: images + 1)
    attack = TorchAttack(name="sly", attack="VANILA", eps=None, arguments={})
    with pytest.raises(AttackError, match=r"outside \[0, 1\]"):
        attack(model, images, labels, seeds)


def test_rounding_beyond_the_range_is_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = network(), torch.ones(COUNT, 3, 8, 8)
    above = torch.nextafter(torch.tensor(1.0), torch.tensor(2.0))
    monkeypatch.setattr(torchattacks.VANILA, "forward", lambda self, images, labels: images * above)
    attack = TorchAttack(name="x", attack="VANILA", eps=0.0, arguments={})
    result = attack(model, images, torch.zeros(COUNT, dtype=torch.int64), list(range(COUNT)))
    assert torch.equal(result.images, images)


def test_loss_is_that_of_the_result() -> None:
    model, images = network(), pictures()
    labels = labels_of(model, images)
    result = pgd()(model, images, labels, list(range(COUNT)))
    expected = nn.functional.cross_entropy(model(result.images), labels, reduction="none")
    torch.testing.assert_close(result.columns["attack_loss"], expected)


def test_zero_eps_changes_nothing() -> None:
    model, images = network(), pictures()
    labels = labels_of(model, images)
    result = pgd(eps=0.0)(model, images, labels, list(range(COUNT)))
    assert torch.equal(result.images, images)


class Wrapper(nn.Module):
    """As freshly constructed: its own flag says training, though the network inside is in eval."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner.eval()

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.inner(images))


def statistics_of(model: nn.Module) -> list[Tensor]:
    return [buffer.clone() for buffer in model.buffers()]


def test_the_library_has_the_train_mode_trap() -> None:
    wrapper = Wrapper(network())
    images = pictures()
    torchattacks.PGD(wrapper, steps=1)(images, labels_of(wrapper, images))
    assert wrapper.inner.training


def test_network_stays_in_evaluation_mode() -> None:
    wrapper, images = Wrapper(network()), pictures()
    labels, statistics, clean = labels_of(wrapper, images), statistics_of(wrapper), wrapper(images)
    assert wrapper.training
    for _ in range(2):
        pgd()(wrapper, images, labels, list(range(COUNT)))
        assert not any(module.training for module in wrapper.modules())
    for before, after in zip(statistics, statistics_of(wrapper), strict=True):
        assert torch.equal(before, after)
    assert torch.equal(wrapper(images), clean)


@pytest.mark.parametrize("name", ["PGD", "Pixle"])  # Pixle: one call of the library an image
def test_no_forward_pass_is_in_training_mode(name: str) -> None:
    """Not even the second call, for which the library has restored the mode of the first."""
    wrapper, images = Wrapper(network()), pictures()[:6]
    norm = wrapper.inner.body[1]
    modes: list[bool] = []
    norm.register_forward_hook(lambda module, inputs, output: modes.append(module.training))
    wrapper.train()
    attack = TorchAttack(name=name, attack=name, eps=None, arguments=RANDOM[name])
    for _ in range(2):
        attack(wrapper, images, torch.zeros(6, dtype=torch.int64), list(range(6)))
    assert len(modes) > 6
    assert not any(modes)


def test_parameters_get_no_gradient_and_ask_for_one_afterwards() -> None:
    model, images = network().requires_grad_(), pictures()
    asked: list[bool] = []
    hook = model.register_forward_hook(
        lambda module, inputs, output: asked.extend(p.requires_grad for p in module.parameters())
    )
    pgd()(model, images, torch.zeros(COUNT, dtype=torch.int64), list(range(COUNT)))
    hook.remove()
    assert asked
    assert not any(asked)
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_training_mode_left_by_an_attack_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: Any, images: Tensor, labels: Tensor) -> Tensor:
        self.model.train()
        return images

    monkeypatch.setattr(torchattacks.VANILA, "forward", forward)
    attack = TorchAttack(name="sly", attack="VANILA", eps=None, arguments={})
    images = pictures()
    with pytest.raises(AttackError, match="sly left the network in training mode"):
        attack(network(), images, torch.zeros(COUNT, dtype=torch.int64), list(range(COUNT)))


@pytest.mark.parametrize("context", [torch.no_grad, torch.enable_grad])
def test_works_without_gradients_around_it(context: Any) -> None:
    model, images = network(), pictures()
    labels = labels_of(model, images)
    with context():
        result = pgd()(model, images, labels, list(range(COUNT)))
    assert (result.images != images).any()
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.filterwarnings(
    # foolbox 3.3.4 imports gaussian_filter from the namespace that SciPy has moved it out of.
    "ignore:Please import `gaussian_filter`:DeprecationWarning"
)
def test_agrees_with_foolbox() -> None:
    from foolbox import PyTorchModel
    from foolbox.attacks import LinfPGD

    model, images = network(torch.float64), pictures(torch.float64)
    labels = labels_of(model, images)
    result = pgd(random_start=False)(model, images, labels, list(range(COUNT)))
    foolbox = LinfPGD(abs_stepsize=ALPHA, steps=STEPS, random_start=False)
    foreign = PyTorchModel(model, bounds=(0, 1), device="cpu")
    _, adversarial, fooled = foolbox(foreign, images, labels, epsilons=EPS)
    torch.testing.assert_close(result.images, adversarial, atol=1e-9, rtol=0)
    assert torch.equal(result.succeeded, fooled)
    assert len(Counter(fooled.tolist())) == 2


def test_unknown_attack_lists_the_alternatives() -> None:
    with pytest.raises(ConfigError, match=r"attack\.attack=APDG: did you mean APGD\? .*, PGD,"):
        TorchAttack(name="x", attack="APDG", eps=None, arguments={})


@pytest.mark.parametrize("attack", ["MultiAttack", "LGV", "Attack", "attack"])
def test_what_a_config_cannot_build_is_no_attack(attack: str) -> None:
    with pytest.raises(ConfigError, match="unknown"):
        TorchAttack(name="x", attack=attack, eps=None, arguments={})


@pytest.mark.parametrize("key", ["stepz", "model"])
def test_unknown_argument_lists_the_alternatives(key: str) -> None:
    expected = rf"attack\.arguments\.{key}: .*available: eps, alpha, steps, random_start"
    with pytest.raises(ConfigError, match=expected):
        pgd(**{key: 3})


def test_steps_of_the_library_count_where_none_are_given() -> None:
    model, images = network(), pictures()
    attack = TorchAttack(name="x", attack="PGD", eps=None, arguments={"eps": 0.01})
    result = attack(model, images, labels_of(model, images), list(range(COUNT)))
    assert set(result.iterations.tolist()) == {10}  # its documented default


def configured(**changed: Any) -> TorchAttack:
    """The shipped config with some of its fields changed."""
    register_all()
    node = OmegaConf.load(Path(__file__).parents[2] / "conf" / "attack" / "torchattacks.yaml")
    resolved = OmegaConf.to_container(OmegaConf.merge(node, changed), resolve=True)
    built = build(resolved, "attack")  # type: ignore[arg-type]
    assert isinstance(built, TorchAttack)
    return built


def classes_of_the_library() -> list[str]:
    """Those that need nothing but a model."""
    takes_more = ("MultiAttack", "LGV")
    found = {
        name: value
        for name, value in vars(torchattacks).items()
        if isinstance(value, type) and issubclass(value, torchattacks.attack.Attack)
    }
    return [name for name in found if name not in takes_more]


@pytest.mark.parametrize("eps", [8 / 255, 0.02])
def test_every_attack_by_its_name_alone(eps: float) -> None:
    """The shipped config carries no argument of one attack; each gets the radius it takes."""
    names = classes_of_the_library()
    assert {"PGD", "MIFGSM", "PIFGSM", "Pixle"} < set(names)
    for name in names:
        built = configured(attack=name, eps=eps)
        assert (built.name, built.eps, built.norm) == ("torchattacks", eps, "linf")
        made = built._attack(network(), **built._arguments)
        taken = [vars(made)[key] for key in ("eps", "max_epsilon") if key in vars(made)]
        assert taken in ([], [eps]), name


@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("MIFGSM", {"eps": 0.02}),
        ("PIFGSM", {"max_epsilon": 0.02}),
        ("APGD", {"eps": 0.02, "norm": "L2"}),
    ],
)
def test_it_is_the_library_s_attack_of_this_radius(name: str, library: dict[str, Any]) -> None:
    model, images = network(), pictures()
    labels = labels_of(model, images)
    norm = "l2" if "norm" in library else "linf"
    arguments = {"n_restarts": 1, "seed": 3} if name == "APGD" else {}
    mine = configured(attack=name, eps=0.02, norm=norm, arguments=arguments)
    found = mine.attack_batch(model, images, labels)
    expected = getattr(torchattacks, name)(model, **library, **arguments)(images, labels)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    change = (found - images).detach().flatten(1)
    size = change.norm(dim=1).max() if norm == "l2" else change.abs().max()
    assert 0.01 < float(size) <= 0.02 + 1e-6


def test_a_radius_among_the_arguments_is_taken_as_it_is() -> None:
    assert configured(eps=0.03, arguments={"eps": 0.01})._arguments == {"eps": 0.01}


@pytest.mark.slow
def test_library_is_imported_late() -> None:
    program = (
        "import sys; import oodbench.attacks.torchattacks; sys.exit('torchattacks' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("target", ["random", "least_likely", 2])
def test_one_target_is_pursued_as_by_the_library(target: str | int) -> None:
    model, images = network(torch.float64), pictures(torch.float64)
    labels = model(images).argmax(1)
    if target == 2:
        labels[labels == 2] = 1
    seeds = list(range(COUNT))
    attack = TorchAttack(
        name="t", attack="PGD", eps=EPS, arguments=PGD | {"random_start": False}, target=target
    )
    result = attack(model, images, labels, seeds)
    own = PgdOfOurs(name="p", eps=EPS, step_size=ALPHA, iterations=1, target=target)
    targets = own(model, images, labels, seeds).columns["target"]  # chosen as in our own attacks
    assert torch.equal(result.columns["target"], targets)
    library = torchattacks.PGD(model, eps=EPS, alpha=ALPHA, steps=STEPS, random_start=False)
    library.set_mode_targeted_by_label(quiet=True)
    expected = library(images, targets)
    torch.testing.assert_close(result.images, expected, atol=1e-12, rtol=0)
    logits = model(expected)
    assert torch.equal(result.succeeded, logits.argmax(1) == targets)
    losses = nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(result.columns["attack_loss"], losses.float())


def test_pictures_of_the_target_are_left_as_they_are() -> None:
    model, images = network(torch.float64), pictures(torch.float64)
    labels, seeds = labels_of(model, images), list(range(COUNT))
    attack = TorchAttack(
        name="t", attack="PGD", eps=EPS, arguments=PGD | {"random_start": False}, target=2
    )
    mixed = labels.clone()
    mixed[::3] = 2
    result = attack(model, images, mixed, seeds)
    own = mixed == 2
    assert torch.equal(result.columns["left_out"], own)
    assert torch.equal(result.images[own], images[own])
    assert not result.succeeded[own].any()
    assert (result.iterations == torch.where(own, 0, STEPS)).all()
    others = attack(model, images[~own], mixed[~own], seeds[: int((~own).sum())])
    torch.testing.assert_close(result.images[~own], others.images, atol=1e-12, rtol=0)
    none = attack(model, images, torch.full_like(labels, 2), seeds)
    assert torch.equal(none.images, images)


def test_top_k_runs_until_any_error() -> None:
    model, images = network(torch.float64), pictures(torch.float64)
    labels, seeds = labels_of(model, images), list(range(COUNT))
    arguments = PGD | {"random_start": False, "eps": 0.01}
    attack = TorchAttack(
        name="t", attack="PGD", eps=EPS, arguments=arguments, target="top_k", top_k=2
    )
    result = attack(model, images, labels, seeds)
    likely = model(images).scatter(1, labels[:, None], -torch.inf).argsort(dim=1, descending=True)
    library = torchattacks.PGD(model, eps=0.01, alpha=ALPHA, steps=STEPS, random_start=False)
    library.set_mode_targeted_by_label(quiet=True)
    first, second = (library(images, likely[:, rank]) for rank in (0, 1))
    won = model(first).argmax(1) != labels
    expected = torch.where(won[:, None, None, None], first, second)
    torch.testing.assert_close(result.images, expected, atol=1e-12, rtol=0)
    assert torch.equal(result.succeeded, model(expected).argmax(1) != labels)
    assert torch.equal(result.iterations, torch.where(won, STEPS, 2 * STEPS))
    assert 0 < won.sum() < COUNT


def test_an_attack_without_targets_says_so() -> None:
    with pytest.raises(ConfigError, match=r"attack\.target=random: DeepFool of torchattacks"):
        TorchAttack(name="t", attack="DeepFool", eps=None, arguments={}, target="random")


@pytest.mark.parametrize(("excess", "passes"), [(3e-6, True), (1e-3, False)])
def test_a_length_that_is_right_in_float32_passes(
    monkeypatch: pytest.MonkeyPatch, excess: float, passes: bool
) -> None:
    step = (1 + excess) * 2 / (3 * 64) ** 0.5
    monkeypatch.setattr(torchattacks.VANILA, "forward", lambda self, images, labels: images + step)
    attack = TorchAttack(name="t", attack="VANILA", eps=2.0, norm="l2", arguments={})
    images = torch.full((2, 3, 8, 8), 0.25, dtype=torch.float64)
    arguments = network(torch.float64), images, torch.zeros(2, dtype=torch.int64), [1, 2]
    if not passes:
        with pytest.raises(AttackError, match=r"beyond attack\.eps=2"):
            attack(*arguments)
        return
    lengths = (attack(*arguments).images - images).flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 2.0), atol=1e-9, rtol=0)
