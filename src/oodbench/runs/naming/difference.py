"""How a run differs from what ships under its names, in the words of the command line."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from oodbench.core.ids import TARGET, frozen
from oodbench.core.schema import ModelConfig, RunConfig, WeightsConfig, source_model
from oodbench.models.class_lists import class_list_identity
from oodbench.runs.key import (
    ATTACK_BATCHING,
    PIL,
    PIPELINE,
    nameless,
    preprocessing_document,
    protocol_document,
)
from oodbench.runs.naming.stock import PUBLISHED, Stock, stock_attack, stock_model, stock_of

PIPELINE_FIELDS = ("square_crop", "resize", "crop", "resize_after_crop", "interpolation")

_ATTACK = "attack."
_WHITE = 255

Node = Mapping[str, Any]


def difference(run: RunConfig) -> list[str]:
    """What was done otherwise, as overrides such as `benchmark.protocol.seed=7`.

    Everything that the key depends on is compared with what ships under the run's names: the model,
    the benchmark and its own attack and preprocessing, in fp32, and nothing allowed that is refused
    otherwise. A name that does not ship stands for whatever its config says.

    A pipeline that ships under no name is named whole: what is not there is off.
    """
    stock = stock_of(run)
    return [
        *_model("model", run.model, stock.model),
        *_benchmark(run, stock),
        *_data(run),
        *_preprocessing(run, stock),
        *_attack(run, stock),
        *_precision(run),
    ]


def difference_text(words: Iterable[str]) -> str:
    """A difference as it is shown, joined by commas; "" where there is none."""
    return ", ".join(words)


def changed_leaves(key: str, ours: Node, theirs: Node) -> list[str]:
    """The leaves of one node that another one lacks or has otherwise, then those that it lacks.

    Args:
        key: of both nodes, dotted; "" where their leaves are keys of the config.
        ours, theirs: plain containers.

    Returns:
        Overrides: `key.leaf=value`, and `~key.leaf` for what is not there.
    """
    mine, usual = dict(_flat(key, ours)), dict(_flat(key, theirs))
    changed = [
        _word(leaf, value)
        for leaf, value in sorted(mine.items())
        if leaf not in usual or usual[leaf] != value
    ]
    return changed + [f"~{leaf}" for leaf in sorted(usual) if leaf not in mine]


def _flat(key: str, node: Any) -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every leaf."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _flat(f"{key}.{name}" if key else str(name), value)
    else:
        yield key, list(node) if isinstance(node, tuple) else node


def _word(key: str, value: Any) -> str:
    if key.startswith(_ATTACK) and isinstance(value, float):
        return f"{key}={spelled_in_pixels(value)}"
    return f"{key}={spelled(value)}"


def spelled_in_pixels(value: float) -> str:
    """A number of an attack as it is usually written: 0.03137… is `8/255`, and 0.06 is itself."""
    numerator, text = round(value * _WHITE, 2), str(value)
    written = f"{numerator:g}/{_WHITE}"
    return written if len(text) > len(written) and numerator / _WHITE == value else text


def spelled(value: Any) -> str:
    """A value as the command line takes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{','.join(map(spelled, value))}]"
    return str(value)


def _model(key: str, model: ModelConfig, stock: ModelConfig | None) -> list[str]:
    allowed = [_word(f"{key}.allow_unstable", True)] if model.allow_unstable else []
    if stock is None:
        entry = model.weights.entry
        return [*([] if entry is None else [_word(f"{key}.weights.entry", entry)]), *allowed]
    changed = changed_leaves(key, _outputs(model), _outputs(stock))
    return [*changed, *_weights(f"{key}.weights", model.weights, stock.weights), *allowed]


def _outputs(model: ModelConfig) -> dict[str, Any]:
    """What the outputs depend on beside the weights."""
    return {
        "network": frozen(model.network),
        "mean": model.mean,
        "std": model.std,
        "classes": class_list_identity(model.classes),
        "outputs": model.outputs,
    }


def _weights(key: str, weights: WeightsConfig, usual: WeightsConfig) -> list[str]:
    """Other sources of weights; a file that must have the usual hash is the usual one, from
    wherever it comes."""
    fields = ["layout", "entry", "random_seed"]
    if weights.random_seed is None:
        fields += ["url", "hub", "package", "file", "hash"]
        if weights.layout == "moco_v2":
            fields += ["head_file", "head_hash"]
        if not any((weights.file, weights.package, weights.url, weights.hub)):
            fields.append("identity")
    checked = {"file": "hash", "package": "hash", "url": "hash", "head_file": "head_hash"}
    return [
        _word(f"{key}.{field}", value)
        for field in fields
        if (value := getattr(weights, field)) != getattr(usual, field)
        and not (field in checked and _same_hash(weights, usual, checked[field]))
    ]


def _same_hash(weights: WeightsConfig, usual: WeightsConfig, field: str) -> bool:
    return getattr(usual, field) is not None and getattr(weights, field) == getattr(usual, field)


def _benchmark(run: RunConfig, stock: Stock) -> list[str]:
    ours, theirs = run.benchmark, stock.benchmark
    if theirs is None:
        return []
    fields = ("version", "chunk_size")
    changed = [
        _word(f"benchmark.{field}", getattr(ours, field))
        for field in fields
        if getattr(ours, field) != getattr(theirs, field)
    ]
    protocols = (protocol_document(ours.protocol), protocol_document(theirs.protocol))
    return changed + changed_leaves("benchmark.protocol", *protocols)


def _data(run: RunConfig) -> list[str]:
    deep = run.data.deep_pictures
    return [] if deep == "clip" else [_word("data.deep_pictures", deep)]


def _preprocessing(run: RunConfig, stock: Stock) -> list[str]:
    """Nothing, a shipped name, or the whole pipeline; a back end of its own is named besides."""
    node = run.preprocessing
    name = str(node["name"])
    named = [] if name == PUBLISHED else [f"preprocessing={name}"]
    if frozen(node)[TARGET] != PIPELINE:
        return named + _other_class(node, stock)
    ours = preprocessing_document(node)
    backend = ours.pop("backend", PIL)
    resized_by = [] if backend == PIL else [_word("preprocessing.backend", backend)]
    if stock.published and ours == preprocessing_document(stock.published):
        return resized_by
    usual = preprocessing_document(stock.preprocessing) if stock.preprocessing else {}
    if named and ours == usual:
        return named + resized_by
    return named + _whole(ours, usual) + resized_by


def _other_class(node: Node, stock: Stock) -> list[str]:
    """What a class that is not the pipeline is given, where its name promises the pipeline."""
    if stock.preprocessing is None:
        return []
    return changed_leaves("preprocessing", nameless(frozen(node)), nameless(stock.preprocessing))


def _whole(ours: Node, usual: Node) -> list[str]:
    """All that the pipeline does, and what is off that is usually on."""
    return [
        _word(f"preprocessing.{field}", ours[field])
        for field in PIPELINE_FIELDS
        if ours[field] or usual.get(field)
    ]


def _attack(run: RunConfig, stock: Stock) -> list[str]:
    name = str(run.attack["name"])
    own = (stock.benchmark or run.benchmark).attack
    changed = _changed_attack(run, run.attack, "attack")
    if name != own:
        changed = [f"attack={name}", *_with_radius(run.attack, "attack", changed)]
    if TARGET in run.attack and run.seed != 0:
        changed.append(_word("seed", run.seed))
    return changed


def _changed_attack(run: RunConfig, attack: dict[str, Any], key: str) -> list[str]:
    """Fields that differ from the shipped config of that name, and those of its source and of the
    attack on it."""
    own = dict(frozen(attack))
    second: list[list[str]] = []
    source = source_model(attack)
    if source is not None:
        del own["source"]
        stock = stock_model(source, run.weights)
        second.append([_word(f"{key}.source", source.name)])
        second.append(_model(f"{key}.source", source, stock))
        if isinstance(inner := own.pop("attack", None), dict):
            second.append([_word(f"{key}.attack", inner.get("name"))])
            changed = _changed_attack(run, inner, f"{key}.attack")
            second.append(_with_radius(inner, f"{key}.attack", changed))
    usual = stock_attack(str(attack.get("name")))
    if usual is not None:
        second.append(changed_leaves(key, _computing(own), _computing(frozen(usual))))
    return list(chain.from_iterable(second))


def _with_radius(attack: Node, key: str, changed: list[str]) -> list[str]:
    """Words of an attack that is named, with its radius: not everyone knows that of each name."""
    said = {word.partition("=")[0] for word in changed}
    radius = [
        _word(f"{key}.{field}", attack[field])
        for field, usual in (("norm", "linf"), ("eps", None))
        if attack.get(field, usual) != usual and f"{key}.{field}" not in said
    ]
    return [*radius, *changed]


def _computing(attack: Node) -> dict[str, Any]:
    return {name: value for name, value in attack.items() if name not in ATTACK_BATCHING}


def _precision(run: RunConfig) -> list[str]:
    precision = run.engine.precision
    return [] if precision == "fp32" else [_word("engine.precision", precision)]
