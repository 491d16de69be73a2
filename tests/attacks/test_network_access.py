"""Networks without gradients, and how many images go through at once."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from attack_toys import conv_net, mlp, pictures, predictions
from torch import Tensor, nn

from oodbench.attacks.apgd import APGD
from oodbench.attacks.autoattack import AutoAttack
from oodbench.attacks.base import Attack
from oodbench.attacks.cw import CarliniWagnerL2
from oodbench.attacks.foolbox import FoolboxAttack
from oodbench.attacks.memory import MemoryPlan, Planner
from oodbench.attacks.network_access import NetworkAccess, Passes, default_micro_batch, frozen
from oodbench.attacks.pgd import FGSM, PGD
from oodbench.attacks.pgd_targeted import TargetedPGD
from oodbench.attacks.square import Square
from oodbench.attacks.torchattacks import TorchAttack
from oodbench.core.errors import AttackError, ConfigError
from oodbench.core.files import GIB

FOOLBOX_WARNING = pytest.mark.filterwarnings(
    # foolbox 3.3.4 imports gaussian_filter from the namespace that SciPy has moved it out of.
    "ignore:Please import `gaussian_filter`:DeprecationWarning"
)


class NoGradients(nn.Module):
    """As a network that another library runs."""

    def __init__(self) -> None:
        super().__init__()
        self.network = mlp(torch.float32)

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.network(images.detach()).detach())


def library(name: str, **arguments: Any) -> Attack:
    return TorchAttack(name=name, attack=name, eps=None, arguments=arguments)


def foolbox(name: str, **more: Any) -> Attack:
    return FoolboxAttack(name=name, attack=name, norm="l2", **{"eps": 0.5, "arguments": {}, **more})


GRADIENT: dict[str, Callable[[], Attack]] = {
    "pgd": lambda: PGD(name="p", eps=0.1, step_size=0.1, iterations=2),
    "memory": lambda: PGD(name="p", eps=0.1, step_size=0.1, iterations=2, memory=3),
    "fgsm": lambda: FGSM(eps=0.1),
    "targeted": lambda: TargetedPGD(eps=0.1, step_size=0.1, iterations=2),
    "apgd": lambda: APGD(name="a", eps=0.1),
    "autoattack": lambda: AutoAttack(name="a", eps=0.1),
    "cw": lambda: CarliniWagnerL2(name="c"),
    "torchattacks": lambda: library("PGD"),
    "torchattacks_cw": lambda: library("CW"),
    "foolbox": lambda: foolbox("L2PGD"),
    "foolbox_deepfool": lambda: foolbox("L2DeepFoolAttack"),
}
GRADIENT_FREE: dict[str, Callable[[], Attack]] = {
    "square": lambda: Square(name="s", eps=0.1, queries=2),
    "square_memory": lambda: Square(name="s", eps=0.1, queries=2, memory="auto"),
    "GN": lambda: library("GN"),
    "OnePixel": lambda: library("OnePixel", steps=1, popsize=4),
    "Pixle": lambda: library("Pixle", restarts=1, max_iterations=1),
    "SPSA": lambda: library("SPSA", nb_iter=1, nb_sample=2, max_batch_size=2),
    "Square": lambda: library("Square", n_queries=2),
    "VANILA": lambda: library("VANILA"),
    "noise": lambda: foolbox("L2AdditiveGaussianNoiseAttack"),
    "blur": lambda: foolbox("GaussianBlurAttack", eps=None),
    "contrast": lambda: foolbox("L2ContrastReductionAttack"),
    "salt": lambda: foolbox("SaltAndPepperNoiseAttack", eps=None, arguments={"steps": 3}),
    "inversion": lambda: foolbox("InversionAttack", eps=None),
}


def attacked(make: Callable[[], Attack]) -> Attack:
    network, images = NoGradients(), pictures(2, torch.float32)
    attack = make()
    attack(network, images, predictions(network, images), [1, 2])
    return attack


@FOOLBOX_WARNING
@pytest.mark.parametrize("name", GRADIENT)
def test_what_needs_gradients_says_what_does_not(name: str) -> None:
    assert GRADIENT[name]().needs_gradients
    with pytest.raises(ConfigError, match="takes gradients, which the model has none of") as error:
        attacked(GRADIENT[name])
    assert "attack=square" in str(error.value)
    assert "\n" not in str(error.value)


@FOOLBOX_WARNING
@pytest.mark.parametrize("name", GRADIENT_FREE)
def test_what_needs_none_runs_without(name: str) -> None:
    assert not attacked(GRADIENT_FREE[name]).needs_gradients


def test_a_gpu_is_given_more_at_once() -> None:
    assert default_micro_batch(torch.device("cpu")) == 8
    assert default_micro_batch(torch.device("cuda", 0)) == 256
    assert default_micro_batch(torch.device("cuda", 0), 448**2) == 64
    assert default_micro_batch(torch.device("cuda", 0), 10_000**2) == 1


def test_a_budget_lets_a_gpu_have_as_many_as_fit() -> None:
    most = default_micro_batch(torch.device("cuda", 1), planned=True)
    assert most == 256
    assert default_micro_batch(torch.device("cpu"), planned=True) == 8

    def planned(needed: int) -> int:
        """Of nine tenths of 10.05 GiB."""
        planner = Planner(10.05, measure=lambda step, device: needed)
        return planner.of(mlp(), pictures(2), most).micro_batch

    assert [planned(GIB // 10), planned(GIB // 100)] == [90, 256]


def widths(access: NetworkAccess, count: int = 20) -> list[int]:
    network, seen = mlp(), list[int]()
    network.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    with access.open(network, pictures(count)) as passes:
        passes.logits(pictures(count))
    return seen


def test_how_many_go_through_at_once() -> None:
    assert widths(NetworkAccess(None, None)) == [8, 8, 4]
    assert widths(NetworkAccess(6, None)) == [6, 6, 6, 2]
    assert widths(NetworkAccess(None, None, as_it_is=True)) == [20]
    assert widths(NetworkAccess(None, 50, as_it_is=True))[-3:] == [8, 8, 4]
    for wrong in (0, -1, 2.5, True):
        with pytest.raises(ConfigError, match=r"attack\.micro_batch"):
            NetworkAccess(wrong, None)  # type: ignore[arg-type]


def test_groups_grow_smaller_with_what_fits() -> None:
    passes = Passes(mlp(), 4)
    groups = passes.groups(pictures(10))
    assert next(groups).tolist() == [0, 1, 2, 3]
    passes.micro_batch = 3
    assert [group.tolist() for group in groups] == [[4, 5, 6], [7, 8, 9]]


def test_gradients_are_those_that_are_wanted() -> None:
    network, images = conv_net(), pictures(7)

    def objective(logits: Tensor, places: slice) -> tuple[Tensor, list[bool]]:
        count = torch.arange(7)[places]
        return logits.logsumexp(1) * (count + 1), [place % 3 == 0 for place in count.tolist()]

    passed = Passes(network, 3).gradients(images, objective)
    leaves = images.clone().requires_grad_()
    values = network(leaves).logsumexp(1) * torch.arange(1, 8)
    (expected,) = torch.autograd.grad(values[::3].sum(), leaves)
    torch.testing.assert_close(passed.gradients, expected)
    torch.testing.assert_close(passed.values, values.detach())
    torch.testing.assert_close(passed.logits, network(images))
    assert passed.wanted == [True, False, False] * 2 + [True]
    assert not passed.logits.requires_grad


@pytest.mark.parametrize(
    ("most", "sizes"),
    [
        (8, {1: 1, 2: 2, 3: 4, 5: 8, 8: 8, 9: 8 + 1, 10: 8 + 2, 14: 8 + 8}),
        (20, {1: 1, 2: 2, 3: 3, 4: 5, 5: 5, 6: 10, 11: 20, 23: 20 + 3}),
    ],
)
def test_batches_of_few_sizes(most: int, sizes: dict[int, int]) -> None:
    """Of 8: 8, 4, 2 and 1; of 20: 20, 10, 5, 3, 2 and 1."""
    network, seen = conv_net(), list[int]()

    def objective(logits: Tensor, places: slice) -> tuple[Tensor, list[bool]]:
        assert len(logits) == places.stop - places.start
        return logits.logsumexp(1), [True] * len(logits)

    for count, through in sizes.items():
        images = pictures(count)
        plain = Passes(network, most).gradients(images, objective)
        hook = network.register_forward_hook(lambda *given: seen.append(len(given[2])))
        padded = Passes(network, most, few_sizes=True)
        found = padded.gradients(images, objective)
        assert torch.equal(padded.logits(images), found.logits)
        hook.remove()
        assert sum(seen) == 2 * through
        seen.clear()
        torch.testing.assert_close(found.gradients, plain.gradients)
        torch.testing.assert_close(found.values, plain.values)
        torch.testing.assert_close(found.logits, plain.logits)


@pytest.mark.parametrize("count", [1, 3, 5, 40])
def test_what_fills_a_batch_up_does_not_run_out_of_memory(count: int) -> None:
    """With memory for three images: a fourth of a size may be one that only fills it up."""
    network, failures = mlp(), list[int]()

    def refuse(module: nn.Module, inputs: tuple[Tensor]) -> None:
        if len(inputs[0]) > 3:
            failures.append(len(inputs[0]))
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    network.register_forward_pre_hook(refuse)
    images = pictures(count)
    passes = Passes(network, 256, few_sizes=True)
    torch.testing.assert_close(passes.logits(images), mlp()(images))
    assert failures == {1: [4], 3: [4], 5: [16, 8, 4], 40: [64, 32, 16, 8, 4]}[count]


def test_room_for_more() -> None:
    """A pass of at least a sixteenth of the most, where there are few sizes."""
    passes = Passes(mlp(), 256, few_sizes=True)
    assert [passes.room(count) for count in (1, 16, 17, 200, 256, 300)] == [
        16,
        16,
        32,
        256,
        256,
        300,
    ]
    assert [Passes(mlp(), 20, few_sizes=True).room(count) for count in (1, 2, 4)] == [2, 2, 5]
    assert Passes(mlp(), 256).room(3) == 3


def test_no_graph_where_no_gradient_will_be_wanted() -> None:
    network, asked = mlp(), list[bool]()
    network.register_forward_hook(lambda module, inputs, output: asked.append(output.requires_grad))

    def objective(logits: Tensor, places: slice) -> tuple[Tensor, list[bool]]:
        return logits.sum(1), [False] * len(logits)

    passed = Passes(network, 8).gradients(pictures(3), objective, backward=False)
    assert asked == [False]
    assert not passed.gradients.any()


def measured(needed: int, **planner: Any) -> tuple[MemoryPlan, list[bool]]:
    """The plan at 1 GiB, and whether what was measured had a graph."""
    network, graphs = conv_net(), list[bool]()
    network.register_forward_hook(
        lambda module, inputs, output: graphs.append(output.requires_grad)
    )

    def measure(step: Callable[[], object], device: torch.device) -> int:
        step()
        return needed

    return Planner(1, measure=measure, **planner).of(network, pictures(5), 8), graphs


def test_a_query_is_measured_without_a_graph(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "oodbench")
    assert measured(GIB // 4, gradients=False) == (MemoryPlan(3, frugal=False), [False])
    assert "a query of one image takes 0.25 GiB" in caplog.text
    assert measured(2 * GIB, gradients=False) == (MemoryPlan(1, frugal=False), [False])
    assert "one image takes 2.00 GiB; going on with one at a time" in caplog.text


def test_what_an_attack_keeps_of_each_image_counts() -> None:
    size = pictures(1).nbytes
    assert measured(GIB // 4, state=GIB // 6 // size)[0].micro_batch == 2


def test_a_query_that_does_not_fit() -> None:
    def measure(step: Callable[[], object], device: torch.device) -> int:
        raise MemoryError

    planner = Planner(1, gradients=False, measure=measure)
    with pytest.raises(AttackError, match=r"attack\.memory=1: out of memory with one image: make"):
        planner.of(conv_net(), pictures(5), 8)


def test_evaluation_mode_without_gradients() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    network[0].bias.requires_grad_(False)
    with frozen(network):
        assert not any(module.training for module in network.modules())
        assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not any(module.training for module in network.modules())
    asking = [name for name, value in network.named_parameters() if value.requires_grad]
    assert asking == ["0.weight", "1.weight", "1.bias"]


def test_requests_come_back_after_an_error() -> None:
    network = nn.Linear(2, 2)
    with pytest.raises(ZeroDivisionError), frozen(network):
        torch.zeros(1).item() / 0
    assert network.weight.requires_grad
