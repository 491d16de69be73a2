"""What model configs look up of open_clip: `${open_clip_fact:ARCH,PRETRAINED,FIELD}`."""

import json
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from posixpath import split
from typing import Any

from oodbench.core.cache import cache_directory, cached_json
from oodbench.core.errors import ConfigError
from oodbench.core.extras import install_extra
from oodbench.models.zero_shot.tokenizers import tokenizer_folder, tokenizer_hash

CONFIG_FILE = "open_clip_config.json"
"""Beside the weights in repositories of the hub."""

TOKENIZER_HASH = "tokenizer_hash"

Facts = dict[str, Any]

_FOLDER = "open_clip-facts-1"


def open_clip_fact(arch: str, pretrained: str | None, field: str, download: bool = True) -> Any:
    """How open_clip builds and evaluates a model.

    Args:
        arch: open_clip's name, or a folder that holds `open_clip_config.json`.
        pretrained: open_clip's tag of the weights; None: those of a file of the user's, or random.
        field: name (for folders and tables), config (JSON of `model_cfg`, and of a tokenizer of
            transformers its `tokenizer_hash`), input_size (pixels), mean, std (three floats each),
            interpolation, resize_mode, hub (repository or None), hub_file, url (or None).
        download: whether a tokenizer that is not in the Hugging Face cache may be fetched.

    Raises:
        ConfigError: no such model or tag, an unknown field, a tokenizer that cannot be had, or
            open_clip is not installed.
    """
    facts = _of_folder(Path(arch)) if Path(arch).is_dir() else _of_name(arch, pretrained)
    if field not in facts:
        raise ConfigError(f"open_clip_fact: unknown field {field}; available: {', '.join(facts)}")
    return _with_tokenizer(facts[field], download) if field == "config" else facts[field]


def _with_tokenizer(config: str, download: bool) -> str:
    parts: dict[str, Any] = json.loads(config)
    name = parts["text_cfg"].get("hf_tokenizer_name")
    if not name:
        return config
    found = tokenizer_hash(tokenizer_folder(name, download=download))
    return json.dumps({**parts, TOKENIZER_HASH: found}, sort_keys=True)


def _of_folder(folder: Path) -> Facts:
    try:
        content = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        config, steps = content["model_cfg"], content.get("preprocess_cfg", {})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"model.arch={folder}: no {CONFIG_FILE} of open_clip: {error}") from None
    facts = {**_defaults(), **{name: steps[name] for name in _defaults().keys() & steps.keys()}}
    return {
        **_facts(folder.resolve().name, config, facts),
        "hub": None,
        "url": None,
        "hub_file": "open_clip_model.safetensors",
    }


def _of_name(arch: str, pretrained: str | None) -> Facts:
    for key, value in (("arch", arch), ("pretrained", pretrained)):
        if value is not None and not re.fullmatch(r"\w[\w.-]*", value):
            raise ConfigError(f"model.{key}={value}: open_clip has none of this name")
    try:
        installed = version("open_clip_torch")
    except PackageNotFoundError:
        raise ConfigError(
            f"model=open_clip needs that package too: {install_extra('open-clip')}"
        ) from None
    path = cache_directory() / _FOLDER / installed / f"{arch}--{pretrained or ''}.json"
    found: Facts = cached_json(path, lambda: _asked(arch, pretrained))
    return found


def _asked(arch: str, pretrained: str | None) -> Facts:
    import open_clip

    config = open_clip.get_model_config(arch)
    if config is None:
        from oodbench.models.facts import unknown_name

        raise unknown_name("open_clip", arch, open_clip.list_models())
    tags = open_clip.list_pretrained_tags_by_model(arch)
    known = open_clip.get_pretrained_cfg(arch, pretrained) if pretrained else {}
    if pretrained and not known:
        raise ConfigError(
            f"model.pretrained={pretrained}: open_clip has no such weights of {arch}; available: "
            f"{', '.join(tags)}"
        )
    repository, file = split(known.get("hf_hub") or "")
    steps = {name: known[name] for name in _defaults().keys() & known.keys()}
    if "quick_gelu" in known:
        config["quick_gelu"] = known["quick_gelu"]
    name = f"{arch}_{pretrained}" if pretrained else arch
    return {
        **_facts(name, config, {**_defaults(), **steps}),
        "hub": repository or None,
        "hub_file": file or "open_clip_model.safetensors",
        # Those of OpenAI hold code, which the copies in repositories do not.
        "url": None if repository else known.get("url") or None,
    }


def _facts(name: str, config: dict[str, Any], steps: Facts) -> Facts:
    return {
        "name": f"open_clip_{name}",
        "config": json.dumps(config, sort_keys=True),
        "input_size": config["vision_cfg"].get("image_size", 224),
        "mean": list(steps["mean"]),
        "std": list(steps["std"]),
        "interpolation": steps["interpolation"],
        "resize_mode": steps["resize_mode"],
    }


def _defaults() -> Facts:
    """Of OpenAI's models, which open_clip takes for all others."""
    return {
        "mean": [0.48145466, 0.4578275, 0.40821073],
        "std": [0.26862954, 0.26130258, 0.27577711],
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
