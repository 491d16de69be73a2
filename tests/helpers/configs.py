"""Configs composed as `oodbench` composes them, and splits that are on no disk."""

import copy
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from oodbench.benchmarks.base import Split
from oodbench.core.schema import RunConfig, validate
from oodbench.sweeps.jobs import Launch

GENERIC = {
    "timm": ["model.timm_name=resnet18.a1_in1k"],
    "torchvision": ["model.name=resnet18"],
    "checkpoint": ["model.arch=resnet18", "weights.file=x.pth"],
    "onnx": ["weights.file=x.onnx"],
    "open_clip": ["model.arch=ViT-B-32"],
    "transformers": ["model.repository=vit"],
    "transformers_clip": ["model.repository=vit"],
}
"""Keys that a user must give with a generic model; for the last two see `make_vit_folder`."""

NEEDED = {"transfer": ["model@attack.source=efficientnet_lite0"]}
"""The same for attacks."""


def make_vit_folder() -> None:
    """What save_pretrained leaves, as far as a config needs it, in the current folder."""
    folder = Path("vit")
    folder.mkdir()
    for name in ("model.safetensors", "tokenizer.json"):
        (folder / name).touch()
    (folder / "config.json").write_text('{"model_type": "vit", "num_labels": 1000}')
    (folder / "preprocessor_config.json").write_text(
        '{"size": 32, "resample": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}'
    )


def config_of(*overrides: str) -> DictConfig:
    """What Hydra makes of overrides, which sweeps/test_jobs.py holds this against."""
    return _launch().config(overrides)


@cache
def _launch() -> Launch:
    """It reads every YAML file once: the tests compose a thousand configs."""
    return Launch([])


def composed(*overrides: str) -> RunConfig:
    """Of resnet50 unless another model is named; the caller may change it."""
    return copy.deepcopy(_composed(overrides))


@cache
def _composed(overrides: tuple[str, ...]) -> RunConfig:
    return validate(config_of("model=resnet50", *overrides))


def split(fingerprint: str = "aa", name: str = "", **others: Any) -> Split:
    facts: dict[str, Any] = {"root": Path("x"), "n_expected": 3, "n_items": 2, **others}
    return Split(name=name, fingerprint=fingerprint, list_items=list, **facts)
