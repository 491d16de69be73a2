"""The run key: a hash of everything that changes numbers, and of nothing else."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from oodbench.benchmarks.base import Split
from oodbench.core.building import bound_arguments, by_content
from oodbench.core.ids import TARGET, frozen
from oodbench.core.own_code.identity import code_field
from oodbench.core.schema import ModelConfig, RunConfig, source_model
from oodbench.engines.settings import engine_target
from oodbench.models import class_lists
from oodbench.reference import revisions

KEY_DIGITS = 12
SCHEMA = 1
SCORING_ONLY = (
    *("scores", "headline", "root", "inside", "n_expected", "validation"),
    *("known_root", "n_known", "experiment"),
)
"""Arguments of a benchmark that change neither which pictures are read nor what is recorded."""

PIPELINE = "oodbench.preprocessing.Preprocessing"
PIL = "pil"
"""The pipeline's default `backend`, which keys leave out: they are older than the others."""

IDLE_INTERPOLATION = "bilinear"
"""The pipeline's default, which keys hold where nothing is resized."""

_USUAL_OF_ATTACKS = (("target_is_label", "leave_out"),)
"""Arguments of an attack with values that keys leave out, likewise."""

ENGINE_CODE = "_engine_code_"
"""Field of an attack's node for the user's own code that computes it."""

ATTACK_BATCHING = ("memory", "micro_batch")
"""Arguments of an attack that, like the batch size, change its numbers in the last bits at most."""


def key_document(
    run: RunConfig,
    *,
    weights: str | None,
    splits: Sequence[Split],
    device_type: str,
    source_weights: str | None = None,
) -> dict[str, Any]:
    """Everything that the records depend on, classes by their frozen ids, the user's own by code.

    Not in it: names, batch size, attack.memory, attack.micro_batch, workers, shards, limit, budget,
    paths, and, without an attack, the engine and the device. Adding a field here makes all runs on
    disk be computed again.

    Args:
        run: the validated config.
        weights: identity of the weights, None where unknown.
        splits: what is on disk.
        device_type: cpu, cuda, …
        source_weights: identity of the weights of the source of a transfer attack.
    """
    return {
        "schema": SCHEMA,
        "model": _model(run.model, weights, run.code.identity),
        "preprocessing": {
            **preprocessing_document(run.preprocessing),
            **_deep_pictures(run),
            **code_field(run.preprocessing, run.code.identity),
        },
        "benchmark": {
            "protocol": protocol_document(run.benchmark.protocol),
            "version": run.benchmark.version,
            "chunk_size": run.benchmark.chunk_size,
            "dataset": dataset_fingerprint(splits),
            **code_field(_recording(run.benchmark.protocol), run.code.identity),
        },
        "attack": _attack(run, device_type, source_weights),
        "precision": run.engine.precision,
    }


def transfer_document(document: dict[str, Any]) -> dict[str, Any]:
    """What the pictures of a transfer attack depend on, the attacked model and engine not among it.

    Args:
        document: of `key_document`, with such an attack.
    """
    of_engine = ("engine", ENGINE_CODE)
    attack = {name: value for name, value in document["attack"].items() if name not in of_engine}
    return {
        "schema": document["schema"],
        "attack": attack,
        "preprocessing": document["preprocessing"],
        "dataset": document["benchmark"]["dataset"],
        "precision": document["precision"],
    }


def protocol_document(node: dict[str, Any]) -> dict[str, Any]:
    """Which pictures a benchmark reads and what it records of them, as in the key.

    Args:
        node: `benchmark.protocol`.
    """
    arguments = bound_arguments(node, "benchmark.protocol")
    found: dict[str, Any] = frozen(by_content(_recording(arguments), checksums=True))
    return found


def preprocessing_document(node: dict[str, Any]) -> dict[str, Any]:
    """What a preprocessing does, as in the key.

    Only a library of its own that resizes is named: PIL's pictures are the usual ones. How a
    pipeline would interpolate is left at the default where it resizes nothing.

    Args:
        node: `preprocessing`.
    """
    arguments = nameless(frozen(bound_arguments(node, "preprocessing")))
    if arguments.get("_target_") != PIPELINE:
        return arguments
    if arguments.get("backend") == PIL:
        del arguments["backend"]
    if arguments["resize"] is None and arguments["resize_after_crop"] is None:
        arguments["interpolation"] = IDLE_INTERPOLATION
    return arguments


def dataset_fingerprint(splits: Sequence[Split]) -> str:
    """sha256 over the names and fingerprints of all splits."""
    digest = hashlib.sha256()
    for split in sorted(splits, key=lambda split: split.name):
        digest.update(f"{split.name}\0{split.fingerprint}\n".encode())
    return digest.hexdigest()


def run_key(document: dict[str, Any]) -> str:
    """12 hex digits of the sha256 of the document as canonical JSON."""
    return hashlib.sha256(_canonical_text(document).encode()).hexdigest()[:KEY_DIGITS]


def same_document(stored: Any, document: dict[str, Any]) -> bool:
    """Whether a document that was read is this one: JSON has no tuples and no whole floats."""
    return isinstance(stored, dict) and _canonical_text(stored) == _canonical_text(document)


def _recording(protocol: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in protocol.items() if name not in SCORING_ONLY}


def _deep_pictures(run: RunConfig) -> dict[str, str]:
    """Only what is not the usual: values that torchvision would cut off."""
    deep = run.data.deep_pictures
    return {} if deep == "clip" else {"deep_pictures": deep}


def _model(model: ModelConfig, weights: str | None, code: str | None) -> dict[str, Any]:
    return {
        "network": frozen(model.network),
        "mean": model.mean,
        "std": model.std,
        "weights": weights,
        **_outputs(model),
        **code_field(model.network, code),
        **({} if model.weights.entry is None else {"entry": model.weights.entry}),
    }


def _outputs(model: ModelConfig) -> dict[str, Any]:
    """Only what is not the usual: logits of the 1000 classes in their order, the same each time."""
    found = {
        "classes": class_lists.class_list_identity(model.classes),
        "outputs": model.outputs,
        "allow_unstable": model.allow_unstable,
    }
    usual = {"classes": class_lists.DEFAULT, "outputs": "logits", "allow_unstable": False}
    return {key: value for key, value in found.items() if value != usual[key]}


def _attack(run: RunConfig, device_type: str, source_weights: str | None) -> dict[str, Any] | None:
    if "_target_" not in run.attack:
        return None
    code = run.code.identity
    attack = {**_attack_node(run.attack), **code_field(_without_source(run.attack), code)}
    source = source_model(run.attack)
    if source is not None:
        attack["source"] = _model(source, source_weights, code)
        attack["attack"] = _attack_node(attack["attack"])
    return {
        **attack,
        "seed": run.seed,
        "engine": engine_target(run.engine, attack=True),
        "device": device_type,
        **_engine_code(run),
    }


def _engine_code(run: RunConfig) -> dict[str, Any]:
    node = {**run.engine.backend, TARGET: engine_target(run.engine, attack=True)}
    found = code_field(node, run.code.identity)
    return {ENGINE_CODE: found} if found else {}


def _without_source(attack: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attack.items() if key != "source"}


def _attack_node(node: dict[str, Any]) -> dict[str, Any]:
    kept = {
        key: value
        for key, value in nameless(node).items()
        if key not in ATTACK_BATCHING and (key, value) not in _USUAL_OF_ATTACKS
    }
    found: dict[str, Any] = frozen(kept)
    return found | _revision(found)


def _revision(node: dict[str, Any]) -> dict[str, int]:
    """A number for what is computed otherwise than in the runs from before, under one name."""
    fitting = (
        int(row["revision"])
        for row in revisions()
        if row["target"] == node.get("_target_")
        and (not row["argument"] or str(node.get(row["argument"])) == row["value"])
    )
    number = max(fitting, default=1)
    return {"revision": number} if number > 1 else {}


def nameless(node: Mapping[str, Any]) -> dict[str, Any]:
    """A node without its name, which changes no number."""
    return {key: value for key, value in node.items() if key != "name"}


def _canonical_text(document: dict[str, Any]) -> str:
    return json.dumps(_canonical(document), sort_keys=True, separators=(",", ":"))


def _canonical(value: Any) -> Any:
    """Whole floats become integers: `crop: 224.0` and `crop: 224` are the same number."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
