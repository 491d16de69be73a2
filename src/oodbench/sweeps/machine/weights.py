"""Which models' weights are on disk."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from oodbench.core.errors import OodbenchError
from oodbench.core.schema import WeightsConfig
from oodbench.core.shipped import shipped_content
from oodbench.models.weights import locate
from oodbench.reference import published_models
from oodbench.sweeps.catalogue import model_names
from oodbench.sweeps.machine.findings import Finding

_NAMED = 6
"""Models that are named in a line."""


def weights() -> Iterator[Finding]:
    """Of the shipped models; those of the published table first."""
    published = published_models()
    others = [name for name in model_names() if name not in published]
    yield _finding("published models", published, "oodbench-models fetch --published")
    yield _finding("other models", others, "")


def _finding(title: str, models: Sequence[str], mend: str) -> Finding:
    there = [model for model in models if _is_there(model)]
    named = ", ".join(there[:_NAMED]) + (", …" if len(there) > _NAMED else "")
    said = f"{len(there)} of {len(models)} are on disk{': ' if there else ''}{named}"
    complete = len(there) == len(models)
    return Finding(title, "ok" if complete else "-", said, "" if complete else mend)


def _is_there(model: str) -> bool:
    """Whether a shipped model's files are; its YAML is read alone, composing takes 0.3 s a run."""
    settings = (shipped_content("", "config") or {})["weights"]
    content = {"model": shipped_content("model", model), "weights": settings}
    whole: Any = OmegaConf.create(content)
    plain: Any = OmegaConf.to_container(whole.model.get("weights", {}), resolve=True)
    found: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(WeightsConfig), plain))
    try:
        return bool(locate(model, found, Path(whole.weights.dir), download=False))
    except OodbenchError:
        return False
