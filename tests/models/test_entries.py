"""Checkpoints as training scripts leave them: which of their tensors are the network's."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from oodbench.core.errors import WeightsError
from oodbench.models.entries import best_prefixes
from oodbench.models.loading import load, read_state_dict

State = dict[str, Tensor]


def network(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            OrderedDict(conv=nn.Conv2d(3, 4, 1), bn=nn.BatchNorm2d(4), fc=nn.Linear(4, 7))
        )


def state(seed: int = 0, prefix: str = "") -> State:
    return {prefix + key: tensor for key, tensor in network(seed).state_dict().items()}


def parameters(seed: int = 0, prefix: str = "") -> State:
    """What a running average keeps: no buffers."""
    return {prefix + key: tensor.data for key, tensor in network(seed).named_parameters()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.pth"


def read(content: Any, path: Path, entry: str | None = None) -> State:
    """As `oodbench` reads and loads it; the network's tensors afterwards."""
    torch.save(content, path)
    target = network(99)
    tensors = read_state_dict(path, entry=entry, wanted=target.state_dict())
    load(target, tensors, path=path)
    return dict(target.state_dict())


def assert_seed(found: State, seed: int) -> None:
    assert all(torch.equal(found[key], tensor) for key, tensor in state(seed).items())


OPTIMIZER = {
    "state": {0: {"step": torch.tensor(7.0), "exp_avg": torch.ones(4, 3)}},
    "param_groups": [{"lr": 0.1, "params": [0, 1]}],
}
"""As torch.optim saves it."""


@pytest.mark.parametrize(
    ("raw", "average"),
    [
        ("state_dict", "state_dict_ema"),  # timm
        ("model", "model_ema"),  # MAE, ConvNeXt
        ("net", "ema"),
        ("student", "teacher"),
    ],
)
@pytest.mark.parametrize("make", [state, parameters])
def test_two_sets_are_refused_unless_one_is_chosen(
    path: Path, raw: str, average: str, make: Any
) -> None:
    content = {"epoch": 3, raw: state(1), average: make(2), "optimizer": OPTIMIZER}
    for order in (content, dict(reversed(content.items()))):
        with pytest.raises(WeightsError, match=r"holds several sets of weights") as caught:
            read(order, path)
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert f"({', '.join(key for key in order if key in (raw, average))})" in message
        assert "model.weights.entry=NAME" in message
        assert "\n" not in message
    assert_seed(read(content, path, raw), 1)
    if make is state:
        assert_seed(read(content, path, average), 2)
    else:  # what it lacks is said, not taken from elsewhere
        with pytest.raises(WeightsError, match=r"missing 2 \(bn.running_mean; bn.running_var\)"):
            read(content, path, average)


@pytest.mark.parametrize(
    "average",
    [
        {"decay": 0.999, "shadow_params": [*parameters(2).values()]},  # torch-ema
        {"modelconvweight": torch.ones(12), "modelrest": torch.ones(4 + 16 + 28 + 7)},  # LitEma
    ],
)
def test_an_average_under_other_names_is_seen(path: Path, average: Any) -> None:
    with pytest.raises(WeightsError, match=r"several sets of weights \(model, ema"):
        read({"model": state(1), "ema": average}, path)
    assert_seed(read({"model": state(1), "ema": average}, path, "model"), 1)


@pytest.mark.parametrize(
    "content",
    [
        {"net": state(1), "epoch": 4},
        {"model_state_dict": state(1), "optimizer_state_dict": OPTIMIZER, "loss": 0.3},
        {"run": {"last": {"weights": state(1)}}, "best_acc1": torch.tensor(76.1)},
        {"state_dict": state(1), "criterion": {"weight": torch.ones(7)}},
        {"state_dict": state(1), "metrics": {"acc1": torch.tensor(1.0)}},
        # A memory bank is much larger, and has other names.
        {"state_dict": state(1), "memory": {"bank": torch.ones(400, 4)}},
        # Adam's averages by name, as FSDP saves them.
        {"model": state(1), "optim": {"fc.weight": {"exp_avg": torch.ones(7, 4)}}},
    ],
)
def test_the_one_set_of_weights_is_taken(
    path: Path, content: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert_seed(read(content, path), 1)
    assert len(caplog.messages) == 1
    assert "net.pth: the weights are those of its entry " in caplog.messages[0]


def test_without_names_to_compare_the_size_counts(path: Path) -> None:
    """As for a layout that is matched by position."""
    torch.save({"model": state(1), "criterion": {"weight": torch.ones(7)}}, path)
    assert list(read_state_dict(path)) == list(state())
    torch.save({"model": state(1), "other": {"half": torch.ones(40)}}, path)
    with pytest.raises(WeightsError, match=r"\(model, other\)"):
        read_state_dict(path)


def test_a_nested_entry_is_named_by_its_path(path: Path) -> None:
    content = {"ema": {"module": state(2), "decay": 0.9}, "runs": {"a": {"net": state(3)}}}
    with pytest.raises(WeightsError, match=r"\(ema\.module, runs\.a\.net\)"):
        read(content, path)
    assert_seed(read(content, path, "runs.a.net"), 3)
    assert_seed(read(content, path, "ema"), 2)  # there is one set below


def test_an_entry_that_is_not_there_lists_those_that_are(path: Path) -> None:
    content = {"model": state(1), "model_ema": state(2)}
    with pytest.raises(
        WeightsError, match=r"entry=ema: it has no one such entry; available: model, model_ema$"
    ):
        read(content, path, "ema")
    flat = state(1, "student.") | state(2, "teacher.")
    with pytest.raises(WeightsError, match=r"available: student, teacher$"):
        read(flat, path, "ema")


def test_a_file_without_weights_says_what_it_holds(path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no state dict \(its entries: epoch, optimizer\)"):
        read({"epoch": 3, "optimizer": OPTIMIZER}, path)


PREFIXES = ("model.", "backbone.", "net.", "student.", "encoder.", "model.net.", "module.x.")


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("others", [{}, {"head.weight": torch.ones(9), "loss.t": torch.ones(())}])
def test_a_prefix_that_all_names_share_is_taken_off_and_said(
    path: Path, prefix: str, others: State, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert_seed(read(state(1, prefix) | others, path), 1)
    off = caplog.messages[-1]
    shown = prefix if others else prefix.removeprefix("module.")
    assert f"net.pth: its names begin with {shown}, which is taken off" in off
    assert ("2 tensors without it are left out (head.weight, loss.t, …)" in off) is bool(others)


def test_averaged_model_of_torch(path: Path) -> None:
    average = torch.optim.swa_utils.AveragedModel(network(1))
    assert_seed(read(average.state_dict(), path), 1)


def test_lightning(path: Path) -> None:
    content = {"state_dict": state(1, "model."), "epoch": 1, "optimizer_states": [OPTIMIZER]}
    assert_seed(read(content, path), 1)


@pytest.mark.parametrize("make", [state, parameters])
def test_two_prefixes_are_two_sets(path: Path, make: Any) -> None:
    content = {"state_dict": state(1, "student.") | make(2, "teacher.")}
    with pytest.raises(WeightsError, match=r"several sets of weights \(student, teacher\)"):
        read(content, path)
    assert_seed(read(content, path, "state_dict.student"), 1)
    if make is state:
        assert_seed(read(content, path, "state_dict.teacher"), 2)


def test_an_average_with_other_names_after_another_prefix(path: Path) -> None:
    mangled = {f"model_ema.{k.replace('.', '')}": v for k, v in parameters(2).items()}
    with pytest.raises(WeightsError, match=r"\(model, model_ema\)"):
        read(state(1, "model.") | mangled, path)


def test_the_network_s_own_names_stay(path: Path) -> None:
    """A network may have modules of these names itself."""
    inner = nn.ModuleDict({"model": network(1), "backbone": network(2)})
    torch.save(inner.state_dict(), path)
    target = nn.ModuleDict({"model": network(3), "backbone": network(4)})
    load(target, read_state_dict(path, wanted=target.state_dict()), path=path)
    found = target.state_dict()
    assert all(torch.equal(found[key], value) for key, value in inner.state_dict().items())


def test_a_prefix_with_some_names_missing_is_said(path: Path) -> None:
    content = {k: v for k, v in state(1, "backbone.").items() if "fc" not in k}
    with pytest.raises(
        WeightsError, match=r"; after backbone\. it has all but 2 of them \(fc.weight, …\)$"
    ):
        read(content, path)


def test_best_prefixes_by_hand() -> None:
    names = ["a.conv.weight", "a.fc.bias", "fc.bias", "b.a.fc.bias", "a.other"]
    assert best_prefixes(["conv.weight", "fc.bias"], names) == {"a.": 2, "": 1, "b.a.": 1}


def test_parts_that_were_compiled(path: Path) -> None:
    """torch.compile of a part puts its name in the middle."""
    content = {key.replace("conv.", "conv._orig_mod."): v for key, v in state(1).items()}
    assert_seed(read(content, path), 1)
