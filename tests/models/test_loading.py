import os
import re
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from oodbench.errors import WeightsError
from oodbench.models.loading import by_position, load, moco_state_dict, read_state_dict


def network(width: int = 4) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(conv=nn.Conv2d(3, width, 1), bn=nn.BatchNorm2d(width), fc=nn.Linear(width, 7))
    )


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[k], other[k]) for k in one)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.pth"


@pytest.mark.parametrize("container", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_wrappings_of_training_scripts(path: Path, container: str | None, prefix: str) -> None:
    state = network().state_dict()
    wrapped = {prefix + key: tensor for key, tensor in state.items()}
    torch.save({container: wrapped, "epoch": 3} if container else wrapped, path)
    assert equal(read_state_dict(path), dict(state))


def test_data_parallel(path: Path) -> None:
    state = network().state_dict()
    torch.save(nn.DataParallel(network()).state_dict(), path)
    assert list(read_state_dict(path)) == list(state)


def test_safetensors(tmp_path: Path) -> None:
    state = network().state_dict()
    save_file(state, tmp_path / "net.safetensors")
    read = read_state_dict(tmp_path / "net.safetensors")
    assert equal({key: read[key] for key in state}, dict(state))


def test_old_names_of_densenet(path: Path) -> None:
    """Its published files say `norm.1` where the network says `norm1`."""
    with torch.device("meta"):
        names = list(torchvision.models.densenet121().state_dict())
    old = [
        re.sub(r"(norm|conv)(\d)", r"\1.\2", name) if "denselayer" in name else name
        for name in names
    ]
    assert sum(name not in names for name in old) == 58 * 12
    torch.save(dict.fromkeys(old, torch.ones(1)), path)
    assert list(read_state_dict(path)) == names


class Trap:
    """Unpickles by creating a file."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.target,)


def test_pickled_code_is_refused_and_not_run(path: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": network().state_dict(), "args": Trap(str(tmp_path / "ran"))}, path)
    with pytest.raises(WeightsError, match="holds pickled code and is refused") as caught:
        read_state_dict(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_whole_pickled_network_is_refused(path: Path) -> None:
    torch.save(network(), path)
    with pytest.raises(WeightsError, match="holds pickled code and is refused"):
        read_state_dict(path)


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, torch.ones(2), {"state_dict": {}}])
def test_file_without_a_state_dict(path: Path, content: object) -> None:
    torch.save(content, path)
    with pytest.raises(WeightsError, match="holds no state dict"):
        read_state_dict(path)


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04broken"])
def test_damaged_file_is_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=name) as caught:
        read_state_dict(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_load(path: Path) -> None:
    source, target = network(), network()
    load(target, source.state_dict(), path=path)
    assert equal(dict(source.state_dict()), dict(target.state_dict()))


def test_load_without_the_batch_counters_of_old_files(path: Path) -> None:
    state = network().state_dict()
    del state["bn.num_batches_tracked"]
    load(network(), state, path=path)


def test_load_names_the_first_tensors_that_do_not_fit(path: Path) -> None:
    state = network(width=5).state_dict()
    state["extra"] = state.pop("fc.bias")
    with pytest.raises(WeightsError) as caught:
        load(network(width=4), state, path=path)
    message = str(caught.value)
    assert message.startswith(f"{path}: does not fit the network")
    assert "missing 1 (fc.bias)" in message
    assert "unexpected 1 (extra)" in message
    # Of conv (2), bn (4) and fc.weight, all of another width.
    assert (
        "shape 7 (conv.weight is (4, 3, 1, 1) in the network, (5, 3, 1, 1) in the file" in message
    )
    assert "\n" not in message


def test_weights_of_another_architecture_change_nothing(path: Path) -> None:
    target = network()
    before = {key: tensor.clone() for key, tensor in target.state_dict().items()}
    with pytest.raises(
        WeightsError, match=r"missing 6 \(conv.weight; .*unexpected 120 \(conv1.weight"
    ):
        load(target, torchvision.models.resnet18().state_dict(), path=path)
    assert equal(before, dict(target.state_dict()))


def test_by_position_ignores_names_and_counters(path: Path) -> None:
    source = network()
    renamed = {f"_{key}": t for key, t in source.state_dict().items() if "num_batches" not in key}
    target = network()
    load(target, by_position(target, renamed, path=path), path=path)
    assert equal(dict(source.state_dict()), dict(target.state_dict()))


def test_by_position_refuses_another_shape_or_number(path: Path) -> None:
    with pytest.raises(WeightsError, match=r"conv.weight is \(4, 3, 1, 1\) .* conv.weight is \(5,"):
        by_position(network(4), network(5).state_dict(), path=path)
    short = network(4).state_dict()
    del short["fc.bias"]
    with pytest.raises(WeightsError, match="8 tensors in the network, 7 in the file"):
        by_position(network(4), short, path=path)


def test_moco_takes_the_query_encoder_and_the_probe(path: Path) -> None:
    encoder = {"encoder_q.conv1.weight": torch.ones(1), "encoder_k.conv1.weight": torch.zeros(1)}
    encoder |= {"encoder_q.fc.0.weight": torch.zeros(1), "queue": torch.zeros(1)}
    head = {"conv1.weight": torch.zeros(1), "fc.weight": torch.full((1,), 2.0)}
    head["fc.bias"] = torch.full((1,), 3.0)
    built = moco_state_dict(encoder, head, head_file=path)
    assert {key: tensor.item() for key, tensor in built.items()} == {
        "conv1.weight": 1.0,
        "fc.weight": 2.0,
        "fc.bias": 3.0,
    }


def test_moco_head_without_a_classifier_is_refused(path: Path) -> None:
    with pytest.raises(WeightsError, match=r"net.pth: has no fc.weight and fc.bias"):
        moco_state_dict({}, {"fc.0.weight": torch.ones(1)}, head_file=path)
