"""What the files of a Hugging Face image classifier say: `${transformers_fact:REPOSITORY,FIELD}`.

Read from `config.json` and `preprocessor_config.json`, of a folder or of a repository on the hub.
Imports neither torch nor transformers.
"""

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from oodbench.core.errors import ConfigError, WeightsError
from oodbench.models import class_lists
from oodbench.models.hub import hub_file
from oodbench.models.shards import INDEX
from oodbench.models.zero_shot.tokenizers import tokenizer_folder, tokenizer_hash

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
WEIGHTS = "model.safetensors"

_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box"}
"""Pillow's codes."""

_LABELS = ("id2label", "label2id", "num_labels")
_IRRELEVANT = (*_LABELS, "transformers_version", "torch_dtype", "dtype", "_name_or_path")
"""Keys of config.json that do not change any number."""


class Repository:
    """The two JSON files of one classifier, and what they say about it."""

    def __init__(self, name: str, *, download: bool) -> None:
        """`name`: a folder, or `owner/name` on the hub, from which files may be fetched or not."""
        self.name = name
        self.download = download
        self.folder = Path(name) if Path(name).is_dir() else None

    def read(self, file_name: str) -> dict[str, Any]:
        """Content of a JSON file.

        Raises:
            ConfigError: it is missing or not a JSON object.
        """
        path = self._path(file_name)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
            raise ConfigError(f"{path}: {reason}: is model.repository right?") from None
        if not isinstance(content, dict):
            raise ConfigError(f"{path}: is no JSON object")
        return content

    def _path(self, file_name: str) -> Path:
        if self.folder is not None:
            return self.folder / file_name
        try:
            return hub_file(self.name, file_name, download=self.download)
        except WeightsError as error:
            raise ConfigError(
                f"model.repository={self.name}: no such folder, and {error}; set "
                f"model.repository=FOLDER with {CONFIG}, {PREPROCESSOR} and {WEIGHTS} in it"
            ) from None


def transformers_fact(repository: str, field: str, download: bool = True) -> Any:
    """How an image classifier of transformers is built and evaluated.

    Args:
        repository: `owner/name` on the Hugging Face hub, or a folder that save_pretrained wrote.
        field: name (the last part of `repository`), input_size (pixels), crop_pct (crop over
            resize), interpolation, mean, std (three floats each), flip_channels (whether the
            network takes BGR), classes (a class list), config (its architecture, JSON), hub
            (the repository, None for a folder), file (the folder's weights, None on the hub);
            of models of pictures and texts resize_mode (shortest or squash), tokenizer (where it
            is), tokenizer_hash (of its files).
        download: whether a file that is not in the Hugging Face cache may be fetched.

    Raises:
        ConfigError: a file or a fact is missing, or is one that oodbench cannot reproduce; one line
            that names the key to set instead.
    """
    if field not in _FIELDS:
        raise ConfigError(
            f"transformers_fact: unknown field {field}; available: {', '.join(_FIELDS)}"
        )
    found = Repository(repository, download=download)
    # A folder may be saved again at any time; reading it takes milliseconds.
    return _FIELDS[field](found) if found.folder else _remembered(repository, field, download)


@cache
def _remembered(repository: str, field: str, download: bool) -> Any:
    return _FIELDS[field](Repository(repository, download=download))


def _name(repository: Repository) -> str:
    if repository.folder is not None:
        return repository.folder.resolve().name
    return repository.name.rsplit("/", 1)[-1]


def _hub(repository: Repository) -> str | None:
    return None if repository.folder is not None else repository.name


def _file(repository: Repository) -> str | None:
    if repository.folder is None:
        return None
    path = repository.folder / WEIGHTS
    for file in (path, path.with_name(path.name + INDEX)):
        if file.is_file():
            return str(file)
    raise ConfigError(
        f"{path}: no such file; weights in a pickle are not read: save the model again with "
        "save_pretrained(FOLDER)"
    )


def _input_size(repository: Repository) -> int:
    settings = repository.read(PREPROCESSOR)
    key = "crop_size" if _crops(settings) else "size"
    return _side(repository, settings, key)


def _crop_pct(repository: Repository) -> float:
    settings = repository.read(PREPROCESSOR)
    kind = _kind(settings)
    if settings.get("crop_pct") is not None:
        # ConvNeXt's own rule: from 384 pixels on the whole picture is scaled to the size.
        whole = kind.startswith("ConvNext") and _side(repository, settings, "size") >= 384
        return 1.0 if whole else float(settings["crop_pct"])
    if not _crops(settings):
        return 1.0
    resize = _side(repository, settings, "size")
    if kind.startswith("Levit"):  # scales to 256/224 of the stated size
        resize = int(256 / 224 * resize)
    crop = _side(repository, settings, "crop_size")
    # Rounded down, so that floor(crop / crop_pct) is the resize size again.
    return math.floor(crop / resize * 1e6) / 1e6


def _interpolation(repository: Repository) -> str:
    code = repository.read(PREPROCESSOR).get("resample")
    if code not in _RESAMPLE:
        raise _unclear(repository, f"resample is {code}", "model.interpolation")
    return _RESAMPLE[code]


def _resize_mode(repository: Repository) -> str:
    """Both sides where a height and a width are asked for and nothing is cropped."""
    settings = repository.read(PREPROCESSOR)
    size = settings.get("size")
    both = isinstance(size, dict) and {"height", "width"} <= size.keys()
    return "squash" if both and not _crops(settings) else "shortest"


def _mean(repository: Repository) -> list[float]:
    return _normalisation(repository)[0]


def _std(repository: Repository) -> list[float]:
    return _normalisation(repository)[1]


def _normalisation(repository: Repository) -> tuple[list[float], list[float]]:
    settings = repository.read(PREPROCESSOR)
    keys = "model.mean and model.std"
    scale = settings.get("rescale_factor", 1 / 255)
    if settings.get("do_rescale") is False or abs(scale * 255 - 1) > 1e-6:
        raise _unclear(repository, "pixels are not scaled to [0, 1]", keys)
    if settings.get("rescale_offset"):
        raise _unclear(repository, "rescale_offset shifts the pixels", keys)
    if settings.get("do_normalize") is False or _kind(settings).startswith("MobileViT"):
        return [0.0] * 3, [1.0] * 3
    mean, std = _floats(settings.get("image_mean")), _floats(settings.get("image_std"))
    if len(mean) != 3 or len(std) != 3:
        raise _unclear(repository, f"image_mean is {mean}, image_std {std}", keys)
    if settings.get("include_top") and _kind(settings).startswith("EfficientNet"):
        std = [value**2 for value in std]  # it divides by image_std twice
    return mean, std


def _flip_channels(repository: Repository) -> bool:
    return bool(repository.read(PREPROCESSOR).get("do_flip_channel_order", False))


def _classes(repository: Repository) -> str:
    config = repository.read(CONFIG)
    labels = _labels(config)
    names = class_lists.names_of_count(len(labels))
    mend = "set model.classes=FILE, a text file with one synset id a line in the order of outputs"
    if not names:
        raise ConfigError(
            f"{repository.name}: has {len(labels)} outputs, the classes of no list that oodbench "
            f"knows: {mend}"
        )
    if problem := class_lists.check_labels(labels, names[0]):
        raise ConfigError(f"{repository.name}: {problem}: {mend}")
    return names[0]


def _labels(config: Mapping[str, Any]) -> list[str]:
    """Names of the outputs, in order; transformers' own `LABEL_<i>` where config.json has none."""
    named = config.get("id2label")
    if isinstance(named, dict):
        by_position = {int(position): str(label) for position, label in named.items()}
        return [by_position.get(i, f"LABEL_{i}") for i in range(max(by_position, default=-1) + 1)]
    return [f"LABEL_{i}" for i in range(int(config.get("num_labels", 2)))]


def _config(repository: Repository) -> str:
    """All of config.json that changes numbers, so that it is in the run key."""
    config = repository.read(CONFIG)
    if "auto_map" in config:
        raise ConfigError(
            f"{repository.name}: needs code of its own (auto_map), which is never run: build the "
            "network yourself, see CONTRIBUTING.md"
        )
    if "model_type" not in config or config["model_type"] == "timm_wrapper":
        of_timm = "pretrained_cfg" in config
        mend = "is a model of timm: model=timm model.timm_name=NAME" if of_timm else "no model_type"
        raise ConfigError(f"{repository.name}: its {CONFIG} {mend}")
    kept = {key: value for key, value in config.items() if key not in _IRRELEVANT}
    text = json.dumps({**kept, "num_labels": len(_labels(config))}, sort_keys=True)
    if "${" in text:  # would be read as an interpolation of our config
        raise ConfigError(f"{repository.name}: its {CONFIG} has a '${{'")
    return text


def _tokenizer(repository: Repository) -> str:
    """Where the tokenizer is: the folder, or the repository."""
    return repository.name


def _tokenizer_hash(repository: Repository) -> str:
    return tokenizer_hash(tokenizer_folder(repository.name, download=repository.download))


_FIELDS = {
    "name": _name,
    "input_size": _input_size,
    "crop_pct": _crop_pct,
    "interpolation": _interpolation,
    "resize_mode": _resize_mode,
    "mean": _mean,
    "std": _std,
    "flip_channels": _flip_channels,
    "classes": _classes,
    "config": _config,
    "hub": _hub,
    "file": _file,
    "tokenizer": _tokenizer,
    "tokenizer_hash": _tokenizer_hash,
}


def _kind(settings: Mapping[str, Any]) -> str:
    return str(settings.get("image_processor_type") or settings.get("feature_extractor_type") or "")


def _crops(settings: Mapping[str, Any]) -> bool:
    return bool(settings.get("do_center_crop")) and settings.get("crop_size") is not None


def _side(repository: Repository, settings: Mapping[str, Any], key: str) -> int:
    """Pixels of `224`, `{shortest_edge: 224}` or `{height: 224, width: 224}`."""
    size = settings.get(key)
    if isinstance(size, dict):
        size = size.get("shortest_edge") or (
            size.get("height") if size.get("height") == size.get("width") else None
        )
    if not isinstance(size, int) or size < 1:
        found = settings.get(key)
        raise _unclear(repository, f"{key} is {found}", "model.input_size and model.crop_pct")
    return size


def _floats(values: Any) -> list[float]:
    return [float(value) for value in values] if isinstance(values, list) else []


def _unclear(repository: Repository, what: str, keys: str) -> ConfigError:
    return ConfigError(f"{repository.name}: in its {PREPROCESSOR} {what}: set {keys}")
