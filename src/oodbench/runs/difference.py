"""How a run differs from the published one, in the words of the command line."""

from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import Any

from omegaconf import OmegaConf

from oodbench.core.building import bound_arguments
from oodbench.core.ids import frozen
from oodbench.core.schema import RunConfig, source_model
from oodbench.runs.key import ATTACK_BATCHING, PIL, PIPELINE

PIPELINE_FIELDS = ("square_crop", "resize", "crop", "resize_after_crop", "interpolation")


def difference(run: RunConfig) -> list[str]:
    """What was done otherwise, as overrides such as `preprocessing.interpolation=bilinear`.

    Empty where preprocessing and attack are the benchmark's own, the precision is fp32, and nothing
    is allowed that is refused otherwise.
    """
    return [*_model(run), *_data(run), *_preprocessing(run), *_attack(run), *_precision(run)]


def difference_text(words: Iterable[str]) -> str:
    """A difference as it is shown, joined by commas; "" where there is none."""
    return ", ".join(words)


def _model(run: RunConfig) -> list[str]:
    found = []
    for key, model in (("model", run.model), ("attack.source", source_model(run.attack))):
        if model is not None and model.weights.entry is not None:
            found.append(f"{key}.weights.entry={model.weights.entry}")
        if model is not None and model.allow_unstable:
            found.append(f"{key}.allow_unstable=true")
    return found


def _data(run: RunConfig) -> list[str]:
    deep = run.data.deep_pictures
    return [] if deep == "clip" else [f"data.deep_pictures={deep}"]


def _preprocessing(run: RunConfig) -> list[str]:
    node = run.preprocessing
    name = str(node["name"])
    published = run.benchmark.published(run.model.family)
    if published is None or frozen(node)["_target_"] != PIPELINE:
        return [f"preprocessing={name}"]
    arguments = bound_arguments(node, "preprocessing")
    changed = [
        field
        for field in PIPELINE_FIELDS
        if arguments[field] != getattr(published, field) and not _idle(field, arguments, published)
    ]
    backend = str(arguments.get("backend", PIL))
    resized_by = [] if backend == PIL else [f"preprocessing.backend={backend}"]
    if not changed:
        return resized_by
    if name != "published":
        return [f"preprocessing={name}", *resized_by]
    return [f"preprocessing.{field}={arguments[field]}" for field in changed] + resized_by


def _idle(field: str, arguments: dict[str, Any], published: Any) -> bool:
    """Interpolation does not matter where neither pipeline resizes."""
    sizes = ("resize", "resize_after_crop")
    return field == "interpolation" and all(
        arguments[size] is None and getattr(published, size) is None for size in sizes
    )


def _flat(key: str, node: Any) -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every leaf."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _flat(f"{key}.{name}", value)
    else:
        yield key, node


def _attack(run: RunConfig) -> list[str]:
    name = str(run.attack["name"])
    changed = [] if name == run.benchmark.attack else [f"attack={name}"]
    changed += _changed_fields(run.attack, "attack")
    if "_target_" in run.attack and run.seed != 0:
        changed.append(f"seed={run.seed}")
    return changed


def _changed_fields(attack: dict[str, Any], key: str) -> list[str]:
    """Fields that differ from the shipped config of that name; a second model only by its name."""
    own = dict(frozen(attack))
    second: list[str] = []
    if isinstance(source := own.get("source"), dict):
        del own["source"]
        second.append(f"{key}.source={source.get('name')}")
        if isinstance(inner := own.pop("attack", None), dict):
            second.append(f"{key}.attack={inner.get('name')}")
            second += _changed_fields(inner, f"{key}.attack")
    shipped = files("oodbench.conf").joinpath("attack", f"{attack.get('name')}.yaml")
    if not shipped.is_file():
        return second
    stock = OmegaConf.to_container(OmegaConf.create(shipped.read_text("utf-8")), resolve=True)
    usual = dict(_flat(key, frozen(stock)))
    return second + [
        f"{field}={value}"
        for field, value in sorted(_flat(key, own))
        if field.removeprefix(f"{key}.") not in ATTACK_BATCHING
        and (field not in usual or usual[field] != value)
    ]


def _precision(run: RunConfig) -> list[str]:
    precision = run.engine.precision
    return [] if precision == "fp32" else [f"engine.precision={precision}"]
