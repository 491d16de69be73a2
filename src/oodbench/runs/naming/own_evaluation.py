"""Whether a run shows a model other pictures than its authors evaluated it on."""

from math import floor
from typing import Any

from oodbench.core.building import bound_arguments
from oodbench.core.ids import frozen
from oodbench.core.schema import ModelConfig, RunConfig
from oodbench.reference import published_models
from oodbench.runs.key import PIPELINE
from oodbench.runs.naming.stock import PUBLISHED

_said: set[str] = set()


def say_once(run: RunConfig) -> str | None:
    """The line of `own_evaluation`, once for each model of a process; else None."""
    line = None if run.model.name in _said else own_evaluation(run)
    if line is not None:
        _said.add(run.model.name)
    return line


def own_evaluation(run: RunConfig) -> str | None:
    """What a user should know who gave no preprocessing; None where there is nothing to say.

    The models of the published table, and those of their families that have pipelines of their
    own, are evaluated as published on purpose.
    """
    node, model = run.preprocessing, run.model
    if node["name"] != PUBLISHED or frozen(node)["_target_"] != PIPELINE:
        return None
    if model.name in published_models():
        return None
    steps = bound_arguments(node, "preprocessing")
    if _side(steps) in (model.input_size, None) and (not _resizes(steps) or _fits(steps, model)):
        return None
    own = f"resize {_own_resize(model)}, crop {model.input_size}, {model.interpolation}"
    return (
        f"{model.name}: evaluated as the published run did ({_text(steps)}), not as its config "
        f"says (model.input_size={model.input_size}: {own}): for that add preprocessing=timm"
    )


def _own_resize(model: ModelConfig) -> int:
    return floor(model.input_size / model.crop_pct)


def _side(steps: dict[str, Any]) -> Any:
    """Pixels of the side of the pictures that the network sees."""
    return steps["resize_after_crop"] or steps["crop"] or steps["resize"]


def _resizes(steps: dict[str, Any]) -> bool:
    """Whether pixels are interpolated; where not, the files have their size already."""
    return steps["resize"] is not None or steps["resize_after_crop"] is not None


def _fits(steps: dict[str, Any], model: ModelConfig) -> bool:
    """Whether interpolation and margin are those of the model's config; a square has no margin."""
    margin = steps["crop"] is None or steps["resize"] == _own_resize(model)
    return margin and bool(steps["interpolation"] == model.interpolation)


def _text(steps: dict[str, Any]) -> str:
    square = ["square"] if steps["square_crop"] else []
    named = ("resize", "crop", "resize_after_crop")
    sizes = [f"{key.replace('_', ' ')} {steps[key]}" for key in named if steps[key] is not None]
    by = [str(steps["interpolation"])] if _resizes(steps) else []
    return ", ".join([*square, *sizes, *by])
