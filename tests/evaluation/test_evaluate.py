"""What evaluation does once and not once per chunk, and what it records of an attack."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from masked_networks import AtPass, MaskedNetwork
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.attacks.base import AttackResult
from oodbench.attacks.pgd import PGD
from oodbench.benchmarks.base import Item, Split
from oodbench.core.errors import AttackError, OutputError
from oodbench.engines.eager import EagerEngine
from oodbench.engines.halving import HalvingForward
from oodbench.evaluation.batches import Batch, Frame, _tasks
from oodbench.evaluation.evaluate import Setting, compute
from oodbench.evaluation.rows import Columns, Computed
from oodbench.evaluation.thread_loader import ThreadLoader
from oodbench.readouts import Standard
from oodbench.runs.chunks import Chunk


class Brightness(nn.Module):
    """Seven logits; NaN for pictures that start with a pixel below 0.1."""

    def forward(self, images: Tensor) -> Tensor:
        weights = torch.arange(7.0) - 3
        logits = images.mean((1, 2, 3))[:, None] * weights - 0.5 * weights
        return logits.masked_fill(images[:, 0, 0, 0, None] < 0.1, torch.nan)


class Narrow(Brightness):
    """Runs out of memory with three pictures."""

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > 2:
            raise MemoryError
        return super().forward(images)


def setting_of(network: nn.Module, attack: Any) -> Setting:
    classifier = network.eval()
    return Setting(
        loader=ThreadLoader(unread, workers=1, skip_unreadable=False),
        readout=Standard(),
        classifier=classifier,
        prepare=lambda example: HalvingForward(
            EagerEngine().prepare(classifier, example), torch.device("cpu")
        ),
        device="cpu",
        attack=attack,
        seed=0,
        batch_size=4,
    )


def computed_of(attack: Any, *brightness: int, network: nn.Module | None = None) -> Computed:
    """What is computed of one batch."""
    setting = setting_of(network or Brightness(), attack)
    chunk = Chunk(Split("", Path(), 4, 4, "", list), 0, 0, len(brightness), 0)
    ((_, computed),) = compute(iter([batch(chunk, *brightness)]), setting)
    assert computed is not None
    return computed


def attacked(attack: Any, *brightness: int) -> Columns:
    """What an attack records of one batch."""
    return computed_of(attack, *brightness).attacked


def unread(split: Split, position: int, item: Item) -> NDArray[np.uint8]:
    raise AssertionError("the batches are made here")


def batch(chunk: Chunk, *brightness: int) -> Batch:
    pixels = np.stack([np.full((5, 5, 3), value, dtype=np.uint8) for value in brightness])
    items = [Item(f"n01/picture{position}.png", 6) for position in range(len(brightness))]
    frames = [Frame(item, position, 0) for position, item in enumerate(items)]
    return Batch(chunk, pixels, frames, [], last=True)


def attack(**changed: Any) -> PGD:
    arguments: dict[str, Any] = {"norm": "l2", "eps": 0.5, "step_size": 0.2, "iterations": 5}
    return PGD(name="pgd_l2", **arguments | changed)


def test_an_attack_records_both_norms_and_its_loss() -> None:
    # The last one is wrong already.
    columns = attacked(attack(random_start=False), 200, 240, 130, 60)
    assert columns["attack_succeeded"].tolist() == [False, False, True, True]
    assert columns["attack_iterations"].tolist() == [5, 5, 1, 0]
    # All 75 values move alike, until the radius or the range ends it.
    assert columns["l2"].tolist() == pytest.approx([0.5, 0.5, 0.2, 0], abs=1e-6)
    assert columns["linf"] == pytest.approx(columns["l2"] / 75**0.5, abs=1e-6)
    assert columns["linf"].dtype == columns["l2"].dtype == np.float32
    assert columns["attack_loss"].dtype == np.float32
    assert columns["clean_prediction"].tolist() == [6, 6, 6, 0]
    assert columns["attack_iterations"].dtype == np.int32  # Square may try more than 32,767


def test_a_batch_that_does_not_fit_at_once() -> None:
    """An attack is given more pictures than the engine."""
    brightness = (200, 240, 130, 60, 90)
    whole = computed_of(attack(), *brightness)
    parts = computed_of(attack(), *brightness, network=Narrow())
    np.testing.assert_allclose(parts.logits, whole.logits, rtol=1e-6)
    assert parts.logits.shape == (5, 7)
    for name in ("clean_prediction", "attack_iterations"):
        assert parts.attacked[name].tolist() == whole.attacked[name].tolist()


@pytest.mark.parametrize(("target", "pursued"), [("none", 6), (2, 2)])
def test_the_clean_loss_is_that_of_the_class_in_the_attack_loss(target: Any, pursued: int) -> None:
    brightness = (200, 240, 130)
    columns = attacked(attack(target=target), *brightness)
    pixels = torch.tensor(brightness)[:, None, None, None].expand(-1, 3, 5, 5) / 255
    logits = Brightness()(pixels)
    expected = torch.nn.functional.cross_entropy(
        logits, torch.full((3,), pursued), reduction="none"
    )
    assert columns["clean_loss"] == pytest.approx(expected.numpy(), rel=1e-5)
    assert columns["clean_loss"].dtype == np.float32


class Watched(Brightness):
    """Remembers how many pictures each pass had."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.passes.append(len(images))
        return super().forward(images)


def test_clean_pictures_are_predicted_once() -> None:
    network = Watched()
    computed_of(attack(iterations=2), 200, 240, 130, network=network)
    # The clean ones, three iterates of those that resist, and what the attack has made of them.
    assert network.passes == [3, 3, 3, 2, 3]


@pytest.mark.parametrize("gradients", [True, False])
def test_logits_of_another_engine_are_given_to_no_attack(gradients: bool) -> None:
    """Without gradients the engine may be OpenVINO, the attacked classifier is PyTorch's."""
    given = []

    class Taking:
        name, eps, norm = "taking", 0.5, "linf"
        needs_gradients = gradients

        def __call__(self, *arguments: Any, clean_logits: Tensor | None = None) -> AttackResult:
            given.append(clean_logits)
            return unharmed(*arguments)

    network = Brightness()
    computed_of(Taking(), 200, 240, network=network)
    pixels = torch.tensor((200, 240))[:, None, None, None].expand(-1, 3, 5, 5) / 255
    assert len(given) == 1
    if gradients:
        torch.testing.assert_close(given[0], network(pixels))
    else:
        assert given[0] is None


class Scribbling(PGD):
    """Writes to what it is given."""

    def __call__(self, *arguments: Any, clean_logits: Tensor | None = None) -> AttackResult:
        result = super().__call__(*arguments, clean_logits)
        assert clean_logits is not None
        clean_logits[:] = NAN
        return result


def test_the_clean_logits_of_a_run_stay_what_they_are() -> None:
    usual: dict[str, Any] = {"norm": "l2", "eps": 0.5, "step_size": 0.2, "iterations": 5}
    columns = attacked(Scribbling(name="pgd_l2", **usual), 200, 240, 130)
    expected = attacked(attack(), 200, 240, 130)
    for name in ("clean_prediction", "clean_loss"):
        assert columns[name].tolist() == expected[name].tolist()


class Moody(Brightness):
    """Every forward pass has other noise."""

    def __init__(self) -> None:
        super().__init__()
        self.noise = torch.Generator().manual_seed(0)

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        return logits + torch.randn(logits.shape, generator=self.noise)


@pytest.mark.parametrize("target", ["none", "top_k", 0])
@pytest.mark.parametrize(("network", "contradicted"), [(Brightness, False), (Moody, True)])
def test_a_success_is_one_that_the_scored_prediction_confirms(
    target: Any, network: type[nn.Module], contradicted: bool
) -> None:
    arguments = {"target": target, "step_size": 0.3, "eps": 2.0, "random_start": False}
    computed = computed_of(attack(**arguments), *range(70, 250, 4), network=network())
    columns, predictions = computed.attacked, computed.logits.argmax(axis=1)
    at_goal = predictions == 0 if target == 0 else predictions != 6
    assert columns["attack_succeeded"].any()
    assert (at_goal | ~columns["attack_succeeded"]).all()
    assert columns["attack_contradicted"].any() == contradicted
    assert not (columns["attack_contradicted"] & at_goal).any()


def break_promise(self: PGD, classifier: nn.Module, images: Tensor, *rest: Any) -> Any:
    result = PGD.__call__(self, classifier, images, *rest)
    result.images[2] = 0.9
    return result


class Sly(PGD):
    __call__ = break_promise


@pytest.mark.parametrize(
    ("make", "brightness", "expected"),
    [
        (attack, (200, 90, 10, 130), r"gives logits that are NaN at iteration 0"),
        (
            lambda: Sly(name="pgd_l2", norm="l2", eps=0.5, step_size=0.1, iterations=1),
            (200, 90, 70, 130),
            r"\(l2\) from its clean image, beyond attack\.eps=0\.5",
        ),
    ],
)
def test_an_error_of_an_attack_names_the_picture(
    make: Callable[[], PGD], brightness: tuple[int, ...], expected: str
) -> None:
    with pytest.raises(AttackError, match=rf"^attack=pgd_l2: n01/picture2\.png .*{expected}"):
        attacked(make(), *brightness)


@pytest.mark.parametrize("early_stop", [True, False])
def test_a_gradient_that_is_none_names_the_picture(early_stop: bool) -> None:
    # In l_inf sign(NaN) is 0: the picture stayed as it was, and so did its right prediction.
    network = MaskedNetwork(Brightness(), AtPass(1, 2, float("nan")))
    still = attack(norm="linf", eps=1e-3, step_size=1e-4, early_stop=early_stop)
    with pytest.raises(AttackError, match=r"^attack=pgd_l2: n01/picture2\.png .* at iteration 1:"):
        computed_of(still, 200, 210, 220, 230, network=network)


def logits_of(setting: Setting, *brightness: int) -> NDArray[np.float32]:
    chunk = Chunk(Split("", Path(), 4, 4, "", list), 0, 0, len(brightness), 0)
    ((_, computed),) = compute(iter([batch(chunk, *brightness)]), setting)
    assert computed is not None
    return computed.logits


class Odd(nn.Module):
    """Three logits per picture, chosen by its grey level."""

    def __init__(self, rows: dict[int, list[float]]) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, images: Tensor) -> Tensor:
        levels = (images[:, 0, 0, 0] * 255).round().int().tolist()
        return torch.tensor([self.rows[level] for level in levels])


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("odd", "fault"),
    [
        ([0.0, NAN, 2.0], "1 of its 3 logits are NaN"),
        ([NAN, NAN, NAN], "3 of its 3 logits are NaN"),
        ([NAN, -INF, INF], "1 of its 3 logits are NaN"),
        ([INF, 0.0, 1.0], r"1 of its 3 logits are \+inf"),
        ([INF, INF, -INF], r"2 of its 3 logits are \+inf"),
        ([-INF, -INF, -INF], "all of its 3 logits are -inf"),
    ],
)
def test_logits_that_are_no_answer_stop_the_run_at_their_picture(
    odd: list[float], fault: str
) -> None:
    network = Odd({10: [1.0, 2.0, 3.0], 20: odd, 30: [-INF, -INF, 3.0]})
    setting = setting_of(network, None)
    assert logits_of(setting, 10, 30, 10)[1].tolist() == [-INF, -INF, 3.0]
    with pytest.raises(
        OutputError, match=rf"^n01/picture2\.png: {fault}, which is no answer: try engine=eager"
    ) as caught:
        logits_of(setting, 10, 30, 20, 20)
    assert "\n" not in str(caught.value)


def unharmed(_: nn.Module, images: Tensor, labels: Tensor, seeds: list[int]) -> AttackResult:
    """An attack that looks at nothing."""
    none = torch.zeros(len(images))
    return AttackResult(images + 1 / 255, none.bool(), none.int(), {})


def test_so_do_clean_logits_of_an_attacked_picture() -> None:
    network = Odd({10: [1.0] * 7, 11: [1.0] * 7, 20: [NAN] * 7, 21: [1.0] * 7})
    unharmed.name, unharmed.eps, unharmed.norm = "unharmed", 0.1, "linf"  # type: ignore[attr-defined]
    with pytest.raises(OutputError, match=r"^n01/picture1\.png: 7 of its 7 logits are NaN"):
        logits_of(setting_of(network, unharmed), 10, 20)


def test_the_files_of_a_split_are_listed_once_and_taken_in_order() -> None:
    listed: list[str] = []

    def split(name: str) -> Split:
        def items() -> list[Item]:
            listed.append(name)
            return [Item(f"{name}{position}", 0) for position in range(5)]

        return Split(name, Path(), 5, 5, "", items)

    first, second = split("a"), split("b")
    # On disk already: the chunk 2..4 of the first split, and the first item of the second.
    chunks = [Chunk(first, 0, 0, 2, 0), Chunk(first, 2, 4, 5, 4), Chunk(second, 0, 0, 2, 1)]
    taken = [(task.split.name, task.position, task.item.image) for task in _tasks(chunks)]
    assert taken == [
        ("a", 0, "a0"),
        ("a", 1, "a1"),
        ("a", 4, "a4"),
        ("b", 1, "b1"),
    ]
    assert listed == ["a", "b"]
