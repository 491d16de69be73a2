"""Every value of every shipped config, changed: the key stays, or the difference names the change.

So that no result stands in the row of another one.
"""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from configs import GENERIC, NEEDED, config_of, make_vit_folder, split
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from oodbench.core.errors import OodbenchError
from oodbench.core.schema import ModelConfig, RunConfig, shipped, source_model, validate
from oodbench.runs.key import key_document, run_key
from oodbench.runs.naming.difference import difference

MODELS = ["resnet50", "moco_v2", "efficientnet_lite0", *GENERIC]
"""One of each form: the others have the same keys as one of these."""

ENTRIES = [
    *[(f"model={name}", *GENERIC.get(name, [])) for name in MODELS],
    *[("model=resnet50", f"benchmark={name}") for name in shipped("benchmark")],
    *[("model=moco_v2", f"preprocessing={name}") for name in shipped("preprocessing")],
    *[
        ("model=resnet50", f"attack={name}", *NEEDED.get(name, []))
        for name in shipped("attack")
        if name != "none"
    ],
]

OTHERS: dict[str, list[Any]] = {
    "classes": ["imagenet_1k_background", "imagenet_a", "imagenet"],
    "outputs": ["probabilities"],
    "layout": ["positional", "plain"],
    "family": ["default", "tf_efficientnet"],
    "interpolation": ["nearest", "bicubic"],
    "backend": ["tensor"],
    "positions": ["even"],
    "scores": [["oodbench.metrics.accuracy.top1"], ["oodbench.metrics.accuracy.subset"]],
    "headline": ["top5"],
    "url": ["https://example.org/other.pth"],
    "attack": ["square", "pgd_l2"],
}
"""Values of fields that do not take any of their type."""

IDENTITY = {
    *("model.name", "benchmark.name", "preprocessing.name", "attack.name"),
    *("model.arch", "model.timm_name", "model.repository"),
}
"""What a run is shown under."""

NUMBERS = {
    "random_seed",
    "parameters",
    "resize",
    "crop",
    "resize_after_crop",
    "memory",
    "micro_batch",
}
"""What takes a number where it is null; all others take text."""


def anything(**arguments: Any) -> None:
    """A target that takes whatever is given."""


def leaves(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from leaves(value, f"{key}.{name}")
    else:
        yield key, node


def changed_values(key: str, value: Any) -> list[Any]:
    """Other values for a leaf, of which the first that the config takes is used."""
    name = key.rsplit(".", 1)[-1]
    if name == "_target_":
        return [f"{__name__}.anything"]
    if name in OTHERS:
        return [other for other in OTHERS[name] if other != value]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, float):
        return [value / 2]
    if isinstance(value, list):
        return [[*value[:-1], value[-1] / 2]] if name in ("mean", "std") else [value[:-1]]
    if value is None:
        return [3 if name in NUMBERS else "other"]
    return [f"{value}x"]


def weights_of(model: ModelConfig | None) -> str | None:
    """Stands for the file that a config leads to: another source may give another one, unless its
    hash is given."""
    if model is None:
        return None
    weights = model.weights
    if weights.random_seed is not None:
        return f"random:{weights.random_seed}"
    sources = (weights.file or weights.package or weights.url, weights.hub)
    file = weights.hash or sources[0] or (None if weights.hub else weights.identity)
    head = weights.head_hash or weights.head_file if weights.layout == "moco_v2" else None
    return f"{file} {sources[1]} {head}"


def key_of(run: RunConfig) -> str:
    source = source_model(run.attack)
    document = key_document(
        run,
        weights=weights_of(run.model),
        source_weights=weights_of(source),
        splits=[split()],
        device_type="cpu",
    )
    return run_key(document)


def changed(config: DictConfig, key: str, value: Any) -> RunConfig | None:
    other = copy.deepcopy(config)
    try:
        OmegaConf.update(other, key, value, merge=False, force_add=True)
        run = validate(other)
        key_of(run)
    except (OodbenchError, OmegaConfBaseException):
        return None
    return run


@pytest.mark.parametrize("overrides", ENTRIES, ids=lambda overrides: "-".join(overrides[:2]))
def test_a_changed_leaf_keeps_the_key_or_is_named(
    overrides: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_vit_folder()
    config = config_of(*overrides)
    group = ("model=", "benchmark=", "preprocessing=", "attack=")
    chosen = overrides[0] if len(overrides) == 1 or not overrides[1].startswith(group) else ""
    key = (chosen or overrides[1]).split("=")[0]
    base = validate(config)
    usual, said = key_of(base), difference(base)
    node = OmegaConf.to_container(config[key], resolve=True)
    n_named = 0
    for leaf, value in leaves(node, key):
        if leaf.startswith("benchmark.column.") or leaf in IDENTITY:
            continue
        for other in changed_values(leaf, value):
            if (run := changed(config, leaf, other)) is None:
                continue
            if key_of(run) != usual:
                assert difference(run) != said, f"{leaf}={other}"
                n_named += 1
            break
    assert n_named > 0
