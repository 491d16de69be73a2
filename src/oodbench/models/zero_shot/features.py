"""Features of the classes' sentences: computed once for each model and texts, then kept."""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from oodbench.core.cache import cache_directory, remembered_digest
from oodbench.core.files import atomic_path
from oodbench.core.progress import Progress
from oodbench.core.versions import versions
from oodbench.models.zero_shot.network import mean_direction, stacked

log = logging.getLogger(__name__)

Encode = Callable[[Sequence[str]], Tensor]
"""Sentences -> features `(n, D)`."""

_BATCH = 256
_NAME = "texts"
_LIBRARIES = ("torch", "open_clip_torch", "transformers", "tokenizers")


def class_features(
    sentences: Sequence[Sequence[str]],
    encode: Encode,
    *,
    grounds: str,
    weights_file: Path | None,
    device: str,
) -> Tensor:
    """Directions of the classes `(D, 1000)`, float32.

    Args:
        sentences: of each class.
        encode: the model's text tower, in evaluation mode.
        grounds: what else they depend on beside weights and sentences, such as the config.
        weights_file: of the model; None: random ones, of which nothing is kept.
        device: that `encode` computes on.
    """
    kept = None if weights_file is None else _place(sentences, grounds, weights_file, device)
    if kept is not None and (found := _read(kept)) is not None:
        return found
    made = _computed(sentences, encode)
    if kept is not None:
        _keep(kept, made)
    return made


def _computed(sentences: Sequence[Sequence[str]], encode: Encode) -> Tensor:
    texts = iter([text for of_class in sentences for text in of_class])
    counts = [len(of_class) for of_class in sentences]
    parts: list[Tensor] = []
    with torch.inference_mode(), Progress(sum(counts), "texts of the classes", "text") as progress:
        while batch := list(islice(texts, _BATCH)):
            parts.append(encode(batch).float().cpu())
            progress.advance(len(batch))
    features = torch.cat(parts).clone()
    return stacked([mean_direction(part) for part in torch.split(features, counts)])


def _place(
    sentences: Sequence[Sequence[str]], grounds: str, weights_file: Path, device: str
) -> Path:
    computed = [torch.device(device).type, versions(_LIBRARIES)]
    document = [grounds, remembered_digest(weights_file, "sha256"), sentences, computed]
    digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    return cache_directory() / "text-features" / f"{digest[:32]}.safetensors"


def _read(path: Path) -> Tensor | None:
    try:
        return load_file(path)[_NAME]
    except (OSError, SafetensorError, KeyError):
        return None


def _keep(path: Path, features: Tensor) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            part.write_bytes(save({_NAME: features.contiguous()}))
    except OSError as error:
        log.debug("%s: not kept: %s", path, error)
