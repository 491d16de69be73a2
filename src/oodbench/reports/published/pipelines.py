"""Preprocessings as text, so that two that show the same pixels have the same text."""

from collections.abc import Mapping
from functools import cache
from math import floor
from typing import Any

from omegaconf import OmegaConf

from oodbench.core.schema import DEFAULT_FAMILY
from oodbench.core.shipped import shipped_benchmark, shipped_content
from oodbench.runs.key import PIPELINE
from oodbench.runs.results import RunResult

RESIZE256_CROP224 = "resize 256 bilinear, crop 224"


def pipeline_text(steps: Mapping[str, Any]) -> str:
    """The steps in their order, such as `resize 256 bicubic, crop 224, resize 475 bicubic`.

    A step without effect is left out; no step at all is `as it is`.

    Args:
        steps: arguments of `oodbench.preprocessing.Preprocessing`; absent ones are its defaults.
    """
    interpolation = steps.get("interpolation") or "bilinear"
    resize, crop, after = (steps.get(step) for step in ("resize", "crop", "resize_after_crop"))
    texts = ["square crop"] if steps.get("square_crop") else []
    if resize is not None:
        texts.append(f"resize {_size(resize)} {interpolation}")
    if crop is not None:
        texts.append(f"crop {int(crop)}")
    if after is not None and after != crop:
        texts.append(f"resize {int(after)} {interpolation}")
    return ", ".join(texts) or "as it is"


def run_pipeline(result: RunResult) -> str:
    """What a run did; for a class that is not ours its name, which equals no text of a source."""
    steps = result.config.get("preprocessing", {})
    if steps.get("_target_") != PIPELINE:
        return f"own class: {result.preprocessing}"
    return pipeline_text(steps)


def timm_pipeline(model: str) -> str:
    """What timm's validate.py does for a shipped model (for another one as for ResNets)."""
    facts = model_facts(model)
    size = facts["input_size"]
    steps = {"resize": floor(size / facts["crop_pct"]), "crop": size}
    return pipeline_text({**steps, "interpolation": facts["interpolation"]})


@cache
def published_pipeline(model: str, benchmark: str) -> str | None:
    """What the published run did for a model; None for a benchmark that we do not ship."""
    node = shipped_benchmark(benchmark)
    if node is None:
        return None
    facts = model_facts(model)
    pipelines = node["published_preprocessing"]
    steps = pipelines.get(facts["family"], pipelines[DEFAULT_FAMILY])
    resolved = OmegaConf.create({"model": {"input_size": facts["input_size"]}, "steps": steps})
    return pipeline_text(resolved.steps)


@cache
def model_facts(model: str) -> dict[str, Any]:
    """family, input_size (pixels), crop_pct and interpolation of a shipped model.

    A model without a config, or one that leaves these to a library, gets those of a ResNet.
    """
    usual = {"family": "default", "input_size": 224, "crop_pct": 0.875, "interpolation": "bilinear"}
    content = shipped_content("model", model) or {}
    return {name: content.get(name, value) for name, value in usual.items()}


def _size(resize: Any) -> str:
    if isinstance(resize, int | float):
        return str(int(resize))
    return "x".join(str(int(side)) for side in resize)
