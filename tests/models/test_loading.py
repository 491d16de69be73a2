import argparse
import gzip
import os
import pickle
import random
import re
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from oodbench.core.errors import WeightsError
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


PAGE = b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body></body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 102530333\n"


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: get it again"),
        (PAGE, r"is a web page, not weights \(a download that failed or wanted a login\): get the"),
        (b"<html>404</html>", "is a web page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is a web page"),
        (POINTER, "is a pointer of git-lfs, not the weights"),
        (gzip.compress(b"weights", mtime=0), "is compressed by gzip: unpack it"),
        (b"PK\x03\x04broken", r"is cut off or damaged: get it again \(10 bytes"),
        (b"\x80\x02broken", r"is cut off or damaged: get it again \(8 bytes"),
        (b"\x40\x00\x00\x00\x00\x00\x00\x00{", r"is cut off or damaged: get it again \(9 bytes"),
        (b"Not Found", r"is no weights file: neither .* wrote it \(9 bytes\)"),
        (b"\x93NUMPY\x01\x00", r"is no weights file: neither .* wrote it \(8 bytes\)"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=f"{name}: {message}") as caught:
        read_state_dict(tmp_path / name)
    assert "\n" not in str(caught.value)


def save_zip(state: dict[str, torch.Tensor], path: Path) -> None:
    torch.save(state, path)


def save_before_zip(state: dict[str, torch.Tensor], path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("save", [save_zip, save_before_zip, save_file])
def test_file_that_is_cut_off_anywhere(
    path: Path, save: Callable[[dict[str, torch.Tensor], Path], None]
) -> None:
    save(network().state_dict(), path)
    whole = path.read_bytes()
    # Below nine bytes nothing tells what it was to be.
    for length in [*range(9, len(whole) - 1, len(whole) // 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError) as caught:
            read_state_dict(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: is cut off or damaged: get it again ({length} bytes")
        assert "\n" not in message


@pytest.mark.parametrize("save", [save_zip, save_before_zip, save_file])
def test_damaged_bytes_never_give_another_error(
    path: Path, save: Callable[[dict[str, torch.Tensor], Path], None]
) -> None:
    save(network().state_dict(), path)
    whole = path.read_bytes()
    generator = random.Random(0)
    refused = 0
    for _ in range(100):
        damaged = bytearray(whole)
        for _ in range(20):
            damaged[generator.randrange(len(whole))] = generator.randrange(256)
        path.write_bytes(damaged)
        with suppress(WeightsError):
            read_state_dict(path)  # bytes of a tensor may be any
            refused -= 1
        refused += 1
    assert refused > 50


def test_suffix_says_nothing(tmp_path: Path) -> None:
    state = network().state_dict()
    save_file(state, tmp_path / "pytorch_model.bin")
    torch.save(state, tmp_path / "model.safetensors")
    for name in ("pytorch_model.bin", "model.safetensors"):
        read = read_state_dict(tmp_path / name)
        assert equal({key: read[key] for key in state}, dict(state))


def test_file_from_before_zip_archives(path: Path) -> None:
    state = network().state_dict()
    save_before_zip(state, path)
    assert equal(read_state_dict(path), dict(state))


def test_plain_pickle_is_refused(path: Path) -> None:
    path.write_bytes(pickle.dumps(OrderedDict(network().state_dict())))
    with pytest.raises(WeightsError, match="net.pth: holds pickled code and is refused"):
        read_state_dict(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_arguments_of_the_training_script_are_refused(path: Path, zipped: bool) -> None:
    content = {"state_dict": network().state_dict(), "args": argparse.Namespace(lr=0.1)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="net.pth: holds pickled code and is refused"):
        read_state_dict(path)


def test_tar_archive_is_named(path: Path) -> None:
    """The format before 0.1.10 was one, and PyTorch does not read it safely."""
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "pickle")
    with pytest.raises(WeightsError, match="net.pth: is a tar archive, .* nothing reads safely"):
        read_state_dict(path)


def test_torchscript_is_named(path: Path) -> None:
    """The records by which PyTorch knows such a program; making one is deprecated."""
    with zipfile.ZipFile(path, "w") as archive:
        for record in ("constants.pkl", "data.pkl"):
            archive.writestr(f"net/{record}", pickle.dumps((), protocol=2))
        archive.writestr("net/version", "3\n")
    with pytest.raises(WeightsError, match="net.pth: is a TorchScript program: save its state d"):
        read_state_dict(path)


def test_file_that_may_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"net.pth: cannot be read: No such file"):
        read_state_dict(tmp_path / "net.pth")
    with pytest.raises(WeightsError, match=r"cannot be read: Is a directory"):
        read_state_dict(tmp_path)


@pytest.mark.parametrize("prefix", ["_orig_mod.", "_orig_mod.module.", "module._orig_mod."])
def test_torch_compile(path: Path, prefix: str) -> None:
    state = network().state_dict()
    torch.save({f"{prefix}{key}": tensor for key, tensor in state.items()}, path)
    assert list(read_state_dict(path)) == list(state)


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


@pytest.mark.parametrize("counted", [True, False])
def test_another_number_of_classes_is_said(path: Path, counted: bool) -> None:
    state = network().state_dict()
    if not counted:
        del state["bn.num_batches_tracked"]
    state["fc.weight"], state["fc.bias"] = torch.zeros(21841, 4), torch.zeros(21841)
    with pytest.raises(WeightsError) as caught:
        load(network(), state, path=path)
    assert str(caught.value).endswith(
        "; its classifier fc has 21841 outputs, the network 7: take the file with 7 classes, or a "
        "network with 21841 outputs and model.classes=FILE"
    )


def test_weights_of_another_architecture_name_a_model_that_they_fit(path: Path) -> None:
    with torch.device("meta"):
        state = torchvision.models.resnet18().state_dict()
    with pytest.raises(WeightsError, match="; it would fit model=torchvision model.name=resnet18$"):
        load(network(), state, path=path)
    with pytest.raises(WeightsError, match="; it would fit model=torchvision model.name=resnet18$"):
        by_position(network(), state, path=path)


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
