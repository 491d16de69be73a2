"""Files of Hugging Face repositories, in that library's own cache. Imports no torch."""

from pathlib import Path

from oodbench.core.cache import remembered_digest
from oodbench.core.errors import WeightsError, one_line

TIMEOUT = 10.0
"""Seconds after which a hub that does not answer counts as unreachable."""


def hub_file(repository: str, file_name: str, *, download: bool) -> Path:
    """A file of a repository, from the cache or downloaded into it.

    HF_HOME, HF_HUB_OFFLINE, HF_ENDPOINT, HF_TOKEN and the proxy variables are respected; an
    interrupted download is resumed at the next call.

    Args:
        repository: "timm/resnet50.tv_in1k".
        file_name: path of the file in it.
        download: whether a file that is not in the cache may be fetched.

    Raises:
        WeightsError: not in the cache and not available; one line with the reason.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    try:
        return Path(hf_hub_download(repository, file_name, local_files_only=True))
    except Exception as error:
        if not download:
            raise WeightsError(
                f"{file_name} of {repository} is not in the Hugging Face cache"
            ) from error
    try:
        # One quick question first: the download itself asks again and again for half a minute.
        metadata = get_hf_file_metadata(hf_hub_url(repository, file_name), timeout=TIMEOUT)
        path = Path(hf_hub_download(repository, file_name, etag_timeout=TIMEOUT))
    except Exception as error:  # the HTTP library beneath, and so its errors, differ by version
        raise WeightsError(
            f"{file_name} of {repository} could not be fetched from the Hugging Face hub "
            f"({one_line(error, 160)})"
        ) from error
    _check_arrived_whole(path, metadata.etag)
    return path


def _check_arrived_whole(path: Path, etag: str | None) -> None:
    """The hub names large files by their sha256."""
    if etag is None or len(etag) != 64:
        return
    found = remembered_digest(path, "sha256")
    if found != etag:
        path.resolve().unlink()
        raise WeightsError(
            f"{path}: the hub says sha256 {etag}, found {found}: removed; get it again"
        )
