"""Build the parts of a run: model, engine, attack."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from oodbench.attacks.base import Attack, traits_of
from oodbench.attacks.source import NeedsSource
from oodbench.attacks.transfer_store import TransferStore
from oodbench.benchmarks.base import label_readout
from oodbench.core.building import build
from oodbench.core.errors import ConfigError
from oodbench.core.files import write_json
from oodbench.core.schema import ModelConfig, source_model
from oodbench.engines.base import Forward
from oodbench.engines.choose import computes_gradients, prepared
from oodbench.engines.extent import Extent
from oodbench.engines.halving import HalvingForward
from oodbench.engines.settings import use_device
from oodbench.evaluation.batch_size import batch_size_of, first_shape
from oodbench.evaluation.choose_loader import loader_of
from oodbench.evaluation.evaluate import Setting
from oodbench.evaluation.kept_rows import first_kept
from oodbench.evaluation.reader import Reader
from oodbench.metrics.attack_traits import AttackTraits
from oodbench.models.build import build_classifier
from oodbench.models.classifier import Classifier
from oodbench.models.weights import Weights
from oodbench.runs.chunks import Chunk, kept_skipped
from oodbench.runs.key import run_key, transfer_document
from oodbench.runs.paths import transfer_directory
from oodbench.runs.plan import Plan
from oodbench.runs.unknown import unknown_sources

log = logging.getLogger(__name__)


def setting_of(plan: Plan, read: Reader, chunks: Sequence[Chunk]) -> Setting:
    """What `oodbench.evaluation.evaluate` needs for some chunks of a plan.

    Raises:
        ConfigError: the attack and the engine do not go together, the network cannot be built, or
            the device has no memory for it.
    """
    run = plan.run
    attack = _attack(plan) if "_target_" in run.attack else None
    use_device(plan.device)
    classifier = _classifier(plan)
    n_items = sum(chunk.stop - chunk.start for chunk in chunks)
    shape = first_shape(read, chunks) if plan.device != "cpu" else None
    n_frames = shape[0] if shape else 1
    n_skipped = kept_skipped(plan, chunks) if run.data.on_error == "skip" else 0
    kept = first_kept(plan) if plan.device != "cpu" else None
    batch_size = batch_size_of(plan, classifier, shape, kept, attack=attack)
    extent = Extent(
        batch_size=batch_size,
        n_left=n_frames * n_items,
        n_pictures=n_frames * sum(split.n_items for split in plan.splits),
        kept_engine=kept.engine if kept else None,
    )
    return Setting(
        loader=loader_of(plan, read, n_items, n_skipped),
        readout=plan.benchmark.readout,
        classifier=classifier,
        prepare=partial(_prepared, plan, classifier, extent),
        device=plan.device,
        attack=attack,
        seed=run.seed,
        batch_size=batch_size,
        label_readout=label_readout(plan.benchmark),
    )


def attack_traits(plan: Plan) -> AttackTraits | None:
    """What the run's attack says of itself; None where it has none."""
    node = plan.run.attack
    return traits_of(build(node, "attack")) if "_target_" in node else None


_last: dict[str, Classifier] = {}
"""The one classifier that is kept: a sweep runs all benchmarks of a model one after the other."""


def _classifier(plan: Plan) -> Classifier:
    label = repr((plan.document["model"], plan.device))
    if not _is_known_model(plan) or label not in _last:
        _last.clear()
        _last[label] = _built(plan.run.model, plan.weights, plan.device)
    return _last[label]


def _is_known_model(plan: Plan) -> bool:
    return plan.weights.identity is not None and unknown_sources(plan.document["model"]) is None


def _prepared(
    plan: Plan, classifier: Classifier, extent: Extent, example: NDArray[np.uint8]
) -> Forward:
    engine = plan.run.engine
    height, width = example.shape[1:3]
    classifier.check_size(height, width, plan.run.model.input_size)
    forward = prepared(
        engine,
        classifier,
        example,
        cache_dir=Path(engine.cache_dir),
        model_identity=run_key(plan.document["model"]) if _is_known_model(plan) else None,
        attack="_target_" in plan.run.attack,
        extent=extent,
    )
    return HalvingForward(forward, torch.device(plan.device))


def _attack(plan: Plan) -> Attack:
    """The attack; one that is made on another model with that model and its pictures on disk.

    Raises:
        ConfigError: it needs gradients, and the engine that was named computes none.
    """
    attack: Attack = build(plan.run.attack, "attack")
    engine = plan.run.engine
    if traits_of(attack).needs_gradients and not computes_gradients(engine):
        raise ConfigError(
            f"engine={engine.name}: computes no gradients, which attack={attack.name} needs: use "
            "another engine, such as engine=eager, or an attack without, such as attack=square"
        )
    source = source_model(plan.run.attack)
    weights = plan.source_weights
    if source is not None and weights is not None and isinstance(attack, NeedsSource):
        document = transfer_document(plan.document)
        directory = transfer_directory(Path(plan.run.output_root), run_key(document))
        write_json(directory / "key.json", document)
        log.info("%s: pictures made on %s: %s", plan.cell, source.name, directory)
        attack.connect(lambda: _built(source, weights, plan.device), TransferStore(directory))
    return attack


def _built(model: ModelConfig, weights: Weights, device: str) -> Classifier:
    """A model with its weights on the run's device."""
    classifier = build_classifier(model, weights_files=weights.files, device=device).to(device)
    classifier.check_outputs(model.input_size)
    return classifier
