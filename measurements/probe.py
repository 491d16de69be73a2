"""The linear probe against scikit-learn and against a plain PyTorch loop, on the same features.

Real features: efficientnet_lite0 on the cue-conflict stimuli, every second one for training,
with an L2 term, to the minimum of logistic regression. Then steps of the published size, 256 x
2048 features to 1000 classes, against the same loop in plain PyTorch.

    python measurements/probe.py --data /data/cue-conflict --json probe.json
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_module
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from oodbench.core.files import write_json
from oodbench.models.weights import find_weights
from oodbench.probe.backbone import build_backbone
from oodbench.probe.features import ComputedFeatures, StoredFeatures
from oodbench.probe.listing import Pictures, find_pictures
from oodbench.probe.pixels import centre_crop_transform
from oodbench.probe.processes import Processes
from oodbench.probe.recipe import epoch_order
from oodbench.probe.schema import RecipeConfig, register_probe_schema, validate_probe
from oodbench.probe.training import Trainer, TrainingState, initial_state, loss_and_correct
from oodbench.sweeps.composing import register_all

CPU = torch.device("cpu")
PENALTY = 0.01
BACKBONE_BATCH = 64


def real_features(data: Path) -> tuple[StoredFeatures, StoredFeatures]:
    """Training and test features of efficientnet_lite0."""
    register_all()
    register_probe_schema()
    with (
        tempfile.TemporaryDirectory() as name,
        initialize_config_module("oodbench.conf", version_base="1.3"),
    ):
        root = Path(name)
        for folder in sorted(path for path in data.iterdir() if path.is_dir()):
            for index, path in enumerate(sorted(folder.iterdir())):
                target = root / ("val" if index % 2 else "train") / folder.name / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(path.resolve())
        roots = [f"data.train_root={root}/train", f"data.val_root={root}/val"]
        overrides = ["model=efficientnet_lite0", "data.classes=folders", *roots]
        probe = validate_probe(compose("probe", overrides))
        backbone = build_backbone(
            probe.model,
            find_weights(probe.model.name, probe.model.weights, root, download=False),
            precision="fp32",
            forward_batch_size=BACKBONE_BATCH,
        )
        classes, train, val = find_pictures(probe.data)

        def of(pictures: Pictures) -> StoredFeatures:
            source = ComputedFeatures(
                backbone, pictures, centre_crop_transform(probe.preprocessing), 0, 0
            )
            ((inputs, _),) = source.batches([np.arange(len(pictures))], epoch=0)
            return StoredFeatures(inputs.numpy(), pictures.labels, CPU)

        return of(train.pictures(classes)), of(val.pictures(classes))


def trained(
    recipe: RecipeConfig, known: StoredFeatures, val: StoredFeatures, n_classes: int
) -> TrainingState:
    state = initial_state(known.features.shape[1], n_classes, recipe, seed=0, device=CPU)
    Trainer(
        recipe=recipe,
        source=known,
        n=len(known.labels),
        val=val,
        seed=0,
        processes=Processes(0, 1, CPU),
        after_step=lambda state, size: None,
        after_epoch=lambda state: None,
        stop_asked=lambda: False,
    ).train(state)
    return state


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    made = work()
    return time.perf_counter() - start, made


def row(work: str, ours: float, theirs: float, unit: str, agree: bool) -> dict[str, Any]:
    ratio = ours / theirs
    return {
        "work": work,
        "ours": ours,
        "theirs": theirs,
        "unit": unit,
        "ratio": ratio,
        "agree": agree,
    }


def against_scikit_learn(train: StoredFeatures, test: StoredFeatures) -> list[dict[str, Any]]:
    n, n_classes = len(train.labels), len(set(train.labels))
    recipe = RecipeConfig(
        name="l2", epochs=600, milestones=[450], lr=0.2, weight_decay=PENALTY, augment="none"
    )
    ours, state = timed(lambda: trained(recipe, train, test, n_classes))
    model = LogisticRegression(C=1 / (PENALTY * n), tol=1e-8, max_iter=10_000)
    theirs, _ = timed(lambda: model.fit(train.features, train.labels))
    peer = torch.nn.Linear(train.features.shape[1], n_classes)
    with torch.no_grad():
        peer.weight.copy_(torch.from_numpy(model.coef_))
        peer.bias.copy_(torch.from_numpy(model.intercept_))

    def objective(head: torch.nn.Linear) -> float:
        return loss_and_correct(head, train)[0] + PENALTY / 2 * float(
            head.weight.detach().square().sum()
        )

    losses = objective(state.head), objective(peer)
    accuracies = [loss_and_correct(head, test)[1] / len(test.labels) for head in (state.head, peer)]
    same = abs(losses[0] / losses[1] - 1) < 0.01
    return [
        row(
            f"fit of {n} x {train.features.shape[1]} features, scikit-learn",
            ours,
            theirs,
            "s",
            same,
        ),
        row("penalised training loss, scikit-learn", *losses, "nat", same),
        row("test accuracy, scikit-learn", accuracies[0], accuracies[1], "share", same),
    ]


def against_plain_torch(n: int = 256 * 40) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    known = StoredFeatures(
        rng.standard_normal((n, 2048), dtype=np.float32), rng.integers(1000, size=n), CPU
    )
    few = StoredFeatures(known.features[:256], known.labels[:256], CPU)
    recipe = RecipeConfig(name="published", epochs=1)
    initial = initial_state(2048, 1000, recipe, seed=0, device=CPU).head

    def plain() -> torch.nn.Linear:
        head = torch.nn.Linear(2048, 1000)
        head.load_state_dict(initial.state_dict())
        optimizer = torch.optim.SGD(head.parameters(), lr=30.0, momentum=0.9)
        inputs, labels = torch.from_numpy(known.features), torch.from_numpy(known.labels)
        for batch in torch.from_numpy(epoch_order(n, seed=0, epoch=0)).split(256):
            optimizer.zero_grad()
            functional.cross_entropy(head(inputs[batch]), labels[batch]).backward()
            optimizer.step()
        return head

    ours = min(timed(lambda: trained(recipe, known, few, 1000))[0] for _ in range(3))
    theirs = min(timed(plain)[0] for _ in range(3))
    same = torch.equal(trained(recipe, known, few, 1000).head.weight, plain().weight)
    steps = n // 256
    return row(
        f"a step of the published recipe on stored features, plain PyTorch (mean of {steps})",
        ours / steps * 1000,
        theirs / steps * 1000,
        "ms",
        same,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="cue-conflict folder")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [*against_scikit_learn(*real_features(options.data)), against_plain_torch()]
    for entry in rows:
        print(
            "{work}: {ours:.4g} {unit}, theirs {theirs:.4g} {unit}, ratio {ratio:.2f}, "
            "agree: {agree}".format(**entry)
        )
    if options.json:
        write_json(options.json, rows)


if __name__ == "__main__":
    main()
