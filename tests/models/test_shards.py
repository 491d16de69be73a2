"""Weights in several files: by any of them, or by their index."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from oodbench.core.errors import WeightsError
from oodbench.core.schema import WeightsConfig
from oodbench.models.loading import load, read_state_dict
from oodbench.models.shards import shards, shards_digest
from oodbench.models.weights import WeightsFile, identified, verify

STATE = {
    "conv.weight": torch.arange(12.0).view(4, 3, 1, 1),
    "conv.bias": torch.arange(4.0),
    "fc.weight": torch.arange(28.0).view(7, 4),
    "fc.bias": torch.arange(7.0),
    "scale": torch.tensor(2.0),
}
PARTS = (("conv.bias", "conv.weight"), ("fc.bias", "fc.weight"), ("scale",))

Save = Callable[[dict[str, Tensor], Path], None]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 1), nn.Linear(4, 7)
        self.scale = nn.Parameter(torch.zeros(()))


def write(folder: Path, stem: str = "model", suffix: str = ".safetensors", save: Save = save_file):
    """Three shards with their index, as Hugging Face's libraries write them."""
    weight_map = {}
    for number, names in enumerate(PARTS, start=1):
        file = f"{stem}-{number:05d}-of-00003{suffix}"
        save({name: STATE[name] for name in names}, folder / file)
        weight_map |= dict.fromkeys(names, file)
    index = folder / f"{stem}{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 208}, "weight_map": weight_map}))
    return index


def as_pickle(tensors: dict[str, Tensor], path: Path) -> None:
    torch.save(OrderedDict(tensors), path)


@pytest.mark.parametrize(
    ("suffix", "save", "stem"),
    [(".safetensors", save_file, "model"), (".bin", as_pickle, "pytorch_model")],
)
@pytest.mark.parametrize("given", [0, 1, 3, "index"])
def test_any_of_them_stands_for_all(
    tmp_path: Path, suffix: str, save: Save, stem: str, given: int | str
) -> None:
    index = write(tmp_path, stem, suffix, save)
    path = index if given in (0, "index") else tmp_path / f"{stem}-{given:05d}-of-00003{suffix}"
    found = read_state_dict(path)
    assert found.keys() == STATE.keys()
    network = Net()
    load(network, found, path=path)
    assert all(torch.equal(network.state_dict()[key], value) for key, value in STATE.items())


def test_the_identity_covers_all_of_them_whichever_is_given(tmp_path: Path) -> None:
    index = write(tmp_path)
    files = [tmp_path / f"model-{k:05d}-of-00003.safetensors" for k in (1, 2, 3)]
    listed = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}\n" for file in files)
    expected = hashlib.sha256(listed.encode()).hexdigest()
    for path in (index, *files):
        found = identified("net", WeightsConfig(file=str(path)), tmp_path, download=False)
        assert found.identity == f"sha256:{expected}"
        assert verify(WeightsFile(path, None, f"sha256:{expected[:8]}"), tmp_path) == expected
    with pytest.raises(WeightsError, match=f"expected sha256 00000000, found {expected}"):
        verify(WeightsFile(files[0], None, "sha256:00000000"), tmp_path)
    save_file({"scale": torch.tensor(3.0)}, files[2])
    assert shards_digest(files[0], "sha256") != expected


def test_one_file_is_hashed_as_before(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"abc")
    assert shards_digest(tmp_path / "net.pth", "md5") == hashlib.md5(b"abc").hexdigest()
    (tmp_path / "net.pth.index.json").write_text('{"weight_map": {"a": "net.pth"}}')
    assert shards_digest(tmp_path / "net.pth.index.json", "md5") == hashlib.md5(b"abc").hexdigest()


@pytest.mark.parametrize("name", ["net.pth", "fold-1-of-3.pth", "model-00001-of-00003", "a.json"])
def test_other_files_stand_for_themselves(tmp_path: Path, name: str) -> None:
    assert shards(tmp_path / name) == [tmp_path / name]


@pytest.mark.parametrize("given", ["index", "shard"])
def test_a_missing_shard_is_named(tmp_path: Path, given: str) -> None:
    index = write(tmp_path)
    path = index if given == "index" else tmp_path / "model-00001-of-00003.safetensors"
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(
        WeightsError, match="1 of 3 shards are missing in .*: put model-00002-of-00003.safetensors"
    ) as caught:
        identified("net", WeightsConfig(file=str(path)), tmp_path, download=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "../secret.safetensors",
        "/etc/passwd",
        "a/b.safetensors",
        "..",
        ".",
        "",
        "a\\b",
        ".hidden",
        3,
    ],
)
def test_a_name_that_is_no_file_beside_the_index_is_refused(tmp_path: Path, name: object) -> None:
    index = write(tmp_path)
    content = json.loads(index.read_text())
    content["weight_map"]["scale"] = name
    index.write_text(json.dumps(content))
    with pytest.raises(WeightsError, match=r"index\.json: (names|is no index)"):
        read_state_dict(index)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {}}'])
def test_a_damaged_index_is_named(tmp_path: Path, content: str) -> None:
    index = write(tmp_path)
    index.write_text(content)
    with pytest.raises(WeightsError, match=r"model\.safetensors\.index\.json: .* get it again"):
        read_state_dict(index)


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path) -> None:
    index = write(tmp_path)
    save_file({"fc.bias": torch.zeros(7)}, tmp_path / "model-00003-of-00003.safetensors")
    with pytest.raises(
        WeightsError, match="00003-of-00003.safetensors: has fc.bias, which another"
    ):
        read_state_dict(index)


def test_a_shard_with_pickled_code_is_refused(tmp_path: Path) -> None:
    index = write(tmp_path, "pytorch_model", ".bin", as_pickle)
    torch.save(Net(), tmp_path / "pytorch_model-00003-of-00003.bin")
    with pytest.raises(WeightsError, match="00003-of-00003.bin: holds pickled code and is refused"):
        read_state_dict(index)


def test_a_number_beyond_the_count_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is no shard of model-00003-of-00003.safetensors"):
        shards(tmp_path / "model-00004-of-00003.safetensors")
