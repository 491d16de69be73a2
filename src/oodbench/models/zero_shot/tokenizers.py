"""Tokenizers of transformers: from a folder, or from the Hugging Face hub by way of its cache."""

import hashlib
from pathlib import Path

from oodbench.core.errors import ConfigError, one_line
from oodbench.models.hub import TIMEOUT

_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model")
_SETTINGS = "tokenizer_config.json"
_FILES = (
    *_VOCABULARIES,
    *(_SETTINGS, "merges.txt", "special_tokens_map.json", "added_tokens.json"),
)


def tokenizer_folder(where: str, *, download: bool) -> Path:
    """The folder that holds a tokenizer's files, and no network is needed any more to read it.

    Args:
        where: a folder, or `owner/name` on the hub.
        download: whether files that are not in the hub's cache may be fetched.

    Raises:
        ConfigError: there is none.
    """
    folder = Path(where) if Path(where).is_dir() else _of_hub(where, download=download)
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        # transformers would take one that knows no word.
        raise ConfigError(
            f"{where}: no tokenizer, such as tokenizer.json: save it there with "
            "save_pretrained(FOLDER)"
        )
    return folder


def tokenizer_hash(folder: Path) -> str:
    """`sha256:<hex>` of a tokenizer's files: another one makes other runs."""
    digest = hashlib.sha256()
    for name in sorted(_FILES):
        if (folder / name).is_file():
            digest.update(f"{name}\0".encode() + (folder / name).read_bytes())
    return f"sha256:{digest.hexdigest()}"


def _of_hub(repository: str, *, download: bool) -> Path:
    from huggingface_hub import snapshot_download

    def snapshot(*, local: bool) -> Path:
        return Path(
            snapshot_download(
                repository,
                allow_patterns=list(_FILES),
                local_files_only=local,
                etag_timeout=TIMEOUT,
            )
        )

    try:
        kept = snapshot(local=True)
        if (kept / _SETTINGS).is_file() and any((kept / name).is_file() for name in _VOCABULARIES):
            return kept
        missing = "it is not in the Hugging Face cache, and weights.download=false"
    except Exception as error:  # of the cache: there is no such folder
        missing = one_line(error, 160)
    if not download:
        raise ConfigError(f"{repository}: its tokenizer cannot be had: {missing}")
    try:
        return snapshot(local=False)
    except Exception as error:  # the HTTP library beneath, and so its errors, differ by version
        raise ConfigError(
            f"{repository}: its tokenizer cannot be had: {one_line(error, 200)}"
        ) from None
