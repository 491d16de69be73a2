"""What model configs look up: `${timm_fact:NAME,FIELD}`, `${torchvision_fact:NAME,FIELD}`, ...

The libraries take seconds to import and a finished run must be skipped without them, so what they
say about a model is stored on disk, once for each library version and model.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from oodbench.core.cache import cache_directory, cached_json
from oodbench.core.errors import ConfigError
from oodbench.models import class_lists
from oodbench.models.huggingface_facts import transformers_fact
from oodbench.models.zero_shot.open_clip_facts import open_clip_fact
from oodbench.models.zero_shot.texts import RESOLVERS

Facts = dict[str, Any]

_FOLDER = "facts-3"
"""Version of the stored facts, raised whenever a fact is added or changes its meaning, or the form
of cache files does."""


def register_model_facts() -> None:
    """Make the resolvers known to OmegaConf. May be called again."""
    OmegaConf.register_new_resolver("timm_fact", timm_fact, replace=True)
    OmegaConf.register_new_resolver("torchvision_fact", torchvision_fact, replace=True)
    OmegaConf.register_new_resolver("transformers_fact", _transformers_fact, replace=True)
    OmegaConf.register_new_resolver("open_clip_fact", open_clip_fact, replace=True)
    for name, content in RESOLVERS.items():
        OmegaConf.register_new_resolver(name, content, replace=True)
    OmegaConf.register_new_resolver("required", required, replace=True)
    OmegaConf.register_new_resolver("file_stem", _file_stem, replace=True)


def required(value: Any, key: str) -> Any:
    """`value`, or an error that names the key that the user has to give.

    Raises:
        ConfigError: the value is null.
    """
    if value is None:
        raise ConfigError(f"{key} is missing: this model needs {key}=VALUE")
    return value


def timm_fact(name: str | None, field: str) -> Any:
    """How timm evaluates a pretrained model.

    Args:
        name: timm's name, with or without the tag of the weights ("resnet50.tv_in1k").
        field: input_size (pixels, timm's test size where it has one), crop_pct, interpolation,
            mean, std (three floats each), hf_hub_id (repository of the weights or None),
            full_name (with the tag), tags (names of all weights of the architecture, timm's
            preferred ones first), num_classes, classes (a list of `oodbench.models.class_lists`).

    Raises:
        ConfigError: no such model, an unknown field, or for `classes` outputs of no known list.
    """
    known = required(name, "model.timm_name")
    found = _fact("timm", known, field, _ask_timm)
    if field == "classes" and found is None:
        raise _no_class_list(timm_fact(known, "full_name"), timm_fact(known, "num_classes"))
    return found


def bare_name_notice(timm_name: str, published: Iterable[str]) -> str | None:
    """Which weights timm chooses for a name without a tag; None for one that has a tag.

    Args:
        timm_name: `model.timm_name`.
        published: names of the model configs that come with oodbench.
    """
    full = timm_fact(timm_name, "full_name")
    if "." in timm_name or full == timm_name:
        return None
    tags = [name.removeprefix(f"{timm_name}.") for name in timm_fact(timm_name, "tags")]
    notice = (
        f"model.timm_name={timm_name}: timm {version('timm')} takes {full}, the first of its "
        f"tags ({', '.join(tags)}): give the tag"
    )
    if timm_name in published:
        notice += f"; the published table's {timm_name} is model={timm_name}"
    return notice


def torchvision_fact(name: str | None, field: str) -> Any:
    """How torchvision evaluates the default weights of a model.

    Args:
        name: torchvision's name ("resnet50").
        field: url, hash ("sha256:" and the prefix in the file name), input_size (pixels),
            crop_pct (crop over resize), interpolation, mean, std (three floats each).

    Raises:
        ConfigError: torchvision has no such classifier or the field is unknown.
    """
    return _fact("torchvision", required(name, "model.name"), field, _ask_torchvision)


def _transformers_fact(repository: str | None, field: str, download: bool = True) -> Any:
    return transformers_fact(required(repository, "model.repository"), field, download)


def _file_stem(path: str) -> str:
    return Path(path).stem


def unknown_name(library: str, name: str, known: list[str]) -> ConfigError:
    """The error for a name that the library does not have, with the names nearest to it."""
    close = ", ".join(get_close_matches(name, known, n=3)) or "none"
    return ConfigError(f"{library} has no model {name}; close names: {close}")


def _fact(library: str, name: str, field: str, ask: Callable[[str], Facts]) -> Any:
    # Anything else is not a name of either library, and must not become part of a path.
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(f"{library} has no model {name}: a name has letters, digits, _ . and -")
    path = cache_directory() / _FOLDER / f"{library}-{version(library)}" / f"{name}.json"
    facts = cached_json(path, lambda: ask(name))
    if field not in facts:
        raise ConfigError(f"{library}_fact: unknown field {field}; available: {', '.join(facts)}")
    return facts[field]


def _ask_timm(name: str) -> Facts:
    import timm

    try:
        found = timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError:
        raise unknown_name("timm", name, timm.list_models(pretrained=True)) from None
    config: Mapping[str, Any] = vars(found)
    # The size and crop of timm's own results are the test ones, where a model has them.
    size = config["test_input_size"] or config["input_size"]
    return {
        "input_size": _square_side(name, size[-2:]),
        "crop_pct": config["test_crop_pct"] or config["crop_pct"],
        "interpolation": config["interpolation"],
        "mean": list(config["mean"]),
        "std": list(config["std"]),
        "hf_hub_id": config["hf_hub_id"],
        **_timm_names(config["architecture"], config["tag"]),
        "num_classes": config["num_classes"],
        # A count belongs to one list, and it is by their counts that timm tells them apart too.
        "classes": next(iter(class_lists.names_of_count(config["num_classes"])), None),
    }


def _timm_names(architecture: str, tag: str) -> Facts:
    import timm

    bare: Any = timm.get_pretrained_cfg(architecture)
    first = f"{architecture}.{bare.tag}"
    others = timm.list_models(f"{architecture}.*", pretrained=True)
    return {
        "full_name": f"{architecture}.{tag}" if tag else architecture,
        "tags": [first, *(other for other in others if other != first)],
    }


def _no_class_list(name: str, outputs: int) -> ConfigError:
    if outputs == 0:
        return ConfigError(f"timm model {name} has no classes: it gives features, not logits")
    architecture = name.split(".")[0]
    others = [
        other
        for other in timm_fact(architecture, "tags")
        if re.search(r"in1k(_|$)", other) and other != name
    ]
    instead = f", or take {others[0]}" if others else ""
    return ConfigError(
        f"timm model {name} has {outputs} outputs, the classes of no list that oodbench knows: "
        f"set model.classes=FILE, a text file with one synset id a line{instead}"
    )


def _square_side(name: str, size: tuple[int, int]) -> int:
    if size[0] != size[1]:
        raise ConfigError(f"timm model {name} takes {size[0]}x{size[1]} pictures, not square ones")
    return size[0]


def _ask_torchvision(name: str) -> Facts:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise unknown_name("torchvision", name, known)
    weights = models.get_model_weights(name)["DEFAULT"]
    transform = weights.transforms()
    crop, resize = transform.crop_size[0], transform.resize_size[0]
    return {
        "url": weights.url,
        "hash": f"sha256:{weights.url.rsplit('-', 1)[-1].removesuffix('.pth')}",
        "input_size": crop,
        # Rounded down, so that floor(crop / crop_pct) is the resize size again.
        "crop_pct": math.floor(crop / resize * 1e6) / 1e6,
        "interpolation": transform.interpolation.value,
        "mean": list(transform.mean),
        "std": list(transform.std),
    }
