import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from processes import at_once

import oodbench.models.weights_lock
from oodbench.core.errors import ConfigError, WeightsError
from oodbench.core.files import write_json
from oodbench.core.schema import WeightsConfig
from oodbench.models.weights import WeightsFile, find_weights, identified, verify, weights_hash
from oodbench.models.weights_lock import check_or_record

BYTES = b"not really weights"
SHA256 = hashlib.sha256(BYTES).hexdigest()
MD5 = hashlib.md5(BYTES).hexdigest()
GONE = "file:///nowhere/net-12345678.pth"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.pth"
    path.write_bytes(BYTES)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "weights"


def identity(weights: WeightsConfig, folder: Path, *, download: bool = False) -> str | None:
    return identified("net", weights, folder, download=download).identity


def check_hash(file: Path, expected: str) -> None:
    assert verify(WeightsFile(file, None, expected), file.parent) == weights_hash(file)


def find(weights: WeightsConfig, folder: Path, download: bool = True) -> list[Path]:
    return find_weights("net", weights, folder, download=download)


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(BYTES)
    return path


def test_order_of_the_places(tmp_path: Path, folder: Path, file: Path) -> None:
    weights = WeightsConfig(url="file:///nowhere/a.pth?x=1")
    in_hub = put(tmp_path / "torch_home" / "hub" / "checkpoints" / "a.pth")
    assert find(weights, folder) == [in_hub]
    in_folder = put(folder / "a.pth")
    assert find(weights, folder) == [in_folder]
    weights.package = "os:devnull"
    with pytest.raises(WeightsError, match="no such file"):
        find(weights, folder)
    weights.file = str(file)
    assert find(weights, folder) == [file]


def test_torch_hub_folder_below_the_cache_home(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    stored = put(tmp_path / "xdg" / "torch" / "hub" / "checkpoints" / "a.pth")
    assert find(WeightsConfig(url="file:///nowhere/a.pth"), folder) == [stored]


def test_download_goes_to_the_folder(folder: Path, file: Path) -> None:
    weights = WeightsConfig(url=file.as_uri(), hash=f"sha256:{SHA256[:8]}")
    assert find(weights, folder) == [folder / "net.pth"]
    assert (folder / "net.pth").read_bytes() == BYTES
    assert [path.name for path in folder.iterdir()] == ["net.pth"]
    identity(weights, folder)
    (entry,) = json.loads((folder / "weights.lock.json").read_text()).items()
    assert entry[0] == file.as_uri()
    assert (entry[1]["sha256"], entry[1]["size"]) == (SHA256, len(BYTES))


def test_download_with_a_wrong_hash_leaves_nothing(folder: Path, file: Path) -> None:
    weights = WeightsConfig(url=file.as_uri(), hash="sha256:00000000")
    with pytest.raises(WeightsError, match=rf"{folder}/net.pth: expected sha256 00000000, found"):
        find(weights, folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("download", [True, False])
def test_missing_file_is_one_line_with_every_place_and_mend(folder: Path, download: bool) -> None:
    with pytest.raises(WeightsError) as caught:
        find(WeightsConfig(url=GONE), folder, download)
    message = str(caught.value)
    assert "\n" not in message
    places = (str(folder), os.environ["TORCH_HOME"] + "/hub/checkpoints")
    mends = ("model.weights.file=PATH", "weights.dir=DIR")
    for part in ("model net", GONE, "put net-12345678.pth (file", *places, *mends):
        assert part in message
    assert ("weights.download is off" in message) is not download
    assert "head_file" not in message


def test_missing_moco_names_the_head_file_too(folder: Path) -> None:
    with pytest.raises(WeightsError, match="model.weights.head_file=PATH"):
        find(WeightsConfig(url=GONE, layout="moco_v2"), folder)


def test_moco_has_two_files(folder: Path, file: Path, tmp_path: Path) -> None:
    head = put(tmp_path / "head.pth")
    weights = WeightsConfig(file=str(file), layout="moco_v2", head_file=str(head))
    assert find(weights, folder) == [file, head]
    assert identity(weights, folder) == f"sha256:{SHA256}+sha256:{SHA256}"
    weights.head_hash = "sha256:0000"
    with pytest.raises(WeightsError, match=r"head.pth: expected sha256 0000"):
        identity(weights, folder)


@pytest.mark.parametrize("head", [None, "nowhere/head.pth"])
def test_moco_without_a_head_says_how_to_get_one(folder: Path, file: Path, head) -> None:
    weights = WeightsConfig(file=str(file), layout="moco_v2", head_file=head)
    with pytest.raises(WeightsError, match=r"oodbench-probe model=net .*head_file=PATH"):
        find(weights, folder)


def test_source_that_gives_another_file_than_before_is_refused(folder: Path, file: Path) -> None:
    """Without a hash from the authors, only the lock can tell."""
    weights = WeightsConfig(url=file.as_uri())
    assert identity(weights, folder, download=True) == f"sha256:{SHA256}"
    (folder / "net.pth").write_bytes(BYTES + b"!")
    with pytest.raises(WeightsError, match=rf"weights.lock.json recorded {SHA256} when file:"):
        identity(weights, folder, download=True)
    (folder / "weights.lock.json").unlink()
    assert identity(weights, folder, download=True) != f"sha256:{SHA256}"


RECORD = """
from pathlib import Path; from oodbench.models.weights_lock import check_or_record
for number in range(25):
    source = f"hub:{sys.argv[2]}/{number}"
    check_or_record(Path(sys.argv[1]).parent, source, Path(sys.argv[1]), f"{number}")
"""


def test_processes_that_record_at_once_lose_no_checksum(file: Path) -> None:
    at_once(RECORD, *([str(file), name] for name in "abcd"))
    lock = json.loads((file.parent / "weights.lock.json").read_text())
    assert {source: entry["sha256"] for source, entry in lock.items()} == {
        f"hub:{name}/{number}": f"{number}" for name in "abcd" for number in range(25)
    }


def test_what_another_process_has_recorded_meanwhile_counts(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It enters its file between our look into the lock and our own entry."""

    @contextmanager
    def after_the_other(path: Path) -> Iterator[None]:
        write_json(path, {"hub:a/b": {"sha256": "5", "size": 1}})
        yield

    monkeypatch.setattr(oodbench.models.weights_lock, "locked", after_the_other)
    with pytest.raises(WeightsError, match=r"sha256 6, but .* recorded 5 when hub:a/b was first"):
        check_or_record(file.parent, "hub:a/b", file, "6")
    check_or_record(file.parent, "hub:a/b", file, "5")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"%s": null}', '{"%s": {}}', '{"%s": {"sha256": 1}}', None],
)
def test_a_damaged_lock_is_refused_and_left_alone(
    folder: Path, file: Path, content: str | None
) -> None:
    """Begun anew, it would take any file for the one that was used first."""
    weights = WeightsConfig(url=file.as_uri())
    find(weights, folder)
    lock = folder / "weights.lock.json"
    if content is None:
        lock.mkdir()
    else:
        content = content.replace("%s", file.as_uri())
        lock.write_text(content)
    with pytest.raises(WeightsError) as caught:
        identity(weights, folder)
    assert str(lock) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert content is None or lock.read_text() == content


def test_no_flipped_byte_makes_a_lock_forget_an_entry(file: Path) -> None:
    """Whatever byte of it: another file is never accepted, and what is refused is named."""
    lock = file.parent / "weights.lock.json"
    for source in ("hub:a/b", "hub:c/d"):
        check_or_record(file.parent, source, file, SHA256)
    whole = lock.read_bytes()
    n_refused = 0
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 7
        lock.write_bytes(flipped)
        with pytest.raises(WeightsError) as caught:
            check_or_record(file.parent, "hub:c/d", file, "another")
        assert str(lock) in str(caught.value)
        n_refused += "damaged" in str(caught.value)
        assert lock.read_bytes() == flipped
    assert n_refused > 0.8 * len(whole)


def test_an_entry_may_be_removed_by_hand(file: Path) -> None:
    for source in ("hub:a/b", "hub:c/d"):
        check_or_record(file.parent, source, file, "1")
    lock = file.parent / "weights.lock.json"
    entries = json.loads(lock.read_text())
    del entries["hub:a/b"]
    lock.write_text(json.dumps(entries))
    check_or_record(file.parent, "hub:a/b", file, "2")
    with pytest.raises(WeightsError, match="recorded 1 when hub:c/d"):
        check_or_record(file.parent, "hub:c/d", file, "2")


def test_a_folder_that_cannot_be_written_is_a_warning(
    file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(oodbench.models.weights_lock, "locked", refused)
    check_or_record(file.parent, "hub:a/b", file, "6")
    assert "sha256 6 could not be recorded" in caplog.messages[0]
    assert not (file.parent / "weights.lock.json").exists()


def test_hub_file_beside_the_url_file_is_not_measured_by_its_hash(folder: Path) -> None:
    put(folder / "net.a_tag.safetensors")
    weights = WeightsConfig(hub="timm/net.a_tag", url=GONE, hash="sha256:12345678")
    assert identity(weights, folder) == f"sha256:{SHA256}"
    put(folder / "net-12345678.pth")
    (folder / "net.a_tag.safetensors").unlink()
    with pytest.raises(WeightsError, match="expected sha256 12345678"):
        identity(weights, folder)


def test_missing_file_of_two_sources_names_both(folder: Path) -> None:
    weights = WeightsConfig(hub="timm/net.a_tag", url=GONE)
    with pytest.raises(WeightsError) as caught:
        find(weights, folder, download=False)
    hub = "net.a_tag.safetensors (https://huggingface.co/timm/net.a_tag, model.safetensors)"
    assert f"put {hub} or net-12345678.pth ({GONE}) into {folder}, or" in str(caught.value)


def test_missing_explicit_file(folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"model net: model.weights.file=no.pth: no such file"):
        find(WeightsConfig(file="no.pth"), folder)


def test_package_gives_its_file(folder: Path) -> None:
    found = find(WeightsConfig(package="sys:executable"), folder)
    assert found[0].is_file()
    code = "shutil:copyfile.__code__.co_filename"
    assert find(WeightsConfig(package=code), folder)[0].name == "shutil.py"


@pytest.mark.parametrize(
    ("package", "error", "message"),
    [
        ("no_such_pkg:f", WeightsError, "no_such_pkg, which is not installed: pip install no_such"),
        ("sys", ConfigError, "must be module:callable"),
        ("sys:no_such", ConfigError, "no_such"),
    ],
)
def test_wrong_package(folder: Path, package: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        find(WeightsConfig(package=package), folder)


@pytest.mark.parametrize("download", [True, False])
def test_hub_file_beside_the_others_or_one_line(
    folder: Path, download: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    weights = WeightsConfig(hub="timm/resnet0.none")
    with pytest.raises(WeightsError) as caught:
        find(weights, folder, download)
    message = str(caught.value)
    assert "\n" not in message
    assert "huggingface.co/timm/resnet0.none" in message
    assert "model.weights.file=PATH" in message
    local = put(folder / "resnet0.none.safetensors")
    assert find(weights, folder, download) == [local]


def test_hub_file_in_the_cache_of_hugging_face(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    repository = tmp_path / "hf" / "models--timm--tiny"
    stored = put(repository / "snapshots" / "abc" / "model.safetensors")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    assert find(WeightsConfig(hub="timm/tiny"), folder, download=False) == [stored]


def test_hash_is_remembered_until_the_file_changes(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert weights_hash(file) == SHA256
    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "file_digest", None)
        assert weights_hash(file) == SHA256
    file.write_bytes(BYTES + b"!")
    assert weights_hash(file) == hashlib.sha256(BYTES + b"!").hexdigest()


@pytest.mark.parametrize("expected", [f"sha256:{SHA256}", f"sha256:{SHA256[:8]}", f"md5:{MD5}"])
def test_right_hash(file: Path, expected: str) -> None:
    check_hash(file, expected)


@pytest.mark.parametrize("expected", ["sha256:00", f"md5:{SHA256[:8]}"])
def test_wrong_hash_names_file_expected_and_found(file: Path, expected: str) -> None:
    kind, prefix = expected.split(":")
    found = SHA256 if kind == "sha256" else MD5
    with pytest.raises(WeightsError, match=f"{file}: expected {kind} {prefix}, found {found}"):
        check_hash(file, expected)


def test_web_page_in_place_of_weights_is_named(file: Path) -> None:
    file.write_bytes(b"\n<!DOCTYPE html><title>Sign in</title>")
    with pytest.raises(WeightsError, match=r"expected sha256 00, found \w+, it is a web page: get"):
        check_hash(file, "sha256:00")


@pytest.mark.parametrize("expected", ["sha1:00", "0676ba61", "sha256:"])
def test_hash_of_another_form(file: Path, expected: str) -> None:
    with pytest.raises(ConfigError, match="must be sha256:HEX or md5:HEX"):
        check_hash(file, expected)


def test_identities(folder: Path, file: Path) -> None:
    def of(**fields: Any) -> str | None:
        return identity(WeightsConfig(**fields), folder)

    assert of(file=str(file)) == f"sha256:{SHA256}"
    assert of(file=str(file), random_seed=3) == "random:3"
    assert of(identity="mine-1.0") == "mine-1.0"
    assert of() is None
    with pytest.raises(WeightsError, match="expected sha256 00"):
        of(file=str(file), hash="sha256:00")
