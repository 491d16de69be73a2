"""The probe on real pictures against scikit-learn's logistic regression on the same features.

efficientnet_lite0's 1280 features of the cue-conflict stimuli; 16 shape categories of 20 stimuli,
every second one for training.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from probe_toys import ALONE, composed, read_head
from scipy.special import log_softmax
from scipy.stats import binomtest, norm
from sklearn.linear_model import LogisticRegression

from oodbench.models.weights import find_weights
from oodbench.probe.backbone import build_backbone
from oodbench.probe.execute import train_probe
from oodbench.probe.features import ComputedFeatures
from oodbench.probe.listing import Pictures, find_pictures
from oodbench.probe.pixels import centre_crop_transform
from oodbench.probe.plan import make_probe_plan
from oodbench.probe.schema import ProbeConfig

DATA = os.environ.get("OODBENCH_TEST_DATA")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not DATA, reason="OODBENCH_TEST_DATA does not name the folder of real pictures"
    ),
]
PENALTY = 0.01
"""Factor of half the squared norm of the weights, beside the mean cross entropy."""

Floats = NDArray[Any]


@pytest.fixture
def probe(tmp_path: Path) -> ProbeConfig:
    for folder in sorted(Path(DATA or "", "cue-conflict").iterdir()):
        for index, path in enumerate(sorted(folder.iterdir())):
            target = tmp_path / ("val" if index % 2 else "train") / folder.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    return composed(
        "model=efficientnet_lite0",
        f"data.train_root={tmp_path / 'train'}",
        f"data.val_root={tmp_path / 'val'}",
        "data.classes=folders",
        f"output_root={tmp_path / 'outputs'}",
        "device=cpu",
        "model.input_size=96",  # quick, and as good for the comparison
        "recipe.augment=none",
        "recipe.epochs=600",
        "recipe.milestones=[450]",
        "recipe.lr=0.2",
        f"recipe.weight_decay={PENALTY}",
    )


def features(probe: ProbeConfig) -> tuple[Floats, Floats, Floats, Floats]:
    """Training features and labels, test features and labels."""
    classes, train, val = find_pictures(probe.data)
    assert len(classes) == 16
    backbone = build_backbone(
        probe.model,
        find_weights(probe.model.name, probe.model.weights, Path("unused"), download=False),
        precision="fp32",
        forward_batch_size=64,
    )

    def of(pictures: Pictures) -> tuple[Floats, Floats]:
        source = ComputedFeatures(
            backbone, pictures, centre_crop_transform(probe.preprocessing), 0, 0
        )
        ((inputs, labels),) = source.batches([np.arange(len(pictures))], epoch=0)
        return inputs.numpy().astype(np.float64), labels.numpy()

    return (*of(train.pictures(classes)), *of(val.pictures(classes)))


def objective(inputs: Floats, labels: Floats, weight: Floats, bias: Floats) -> tuple[float, float]:
    """Mean cross entropy without and with the penalty, in float64."""
    logs = log_softmax(inputs @ weight.T + bias, axis=1)
    loss = -float(logs[np.arange(len(labels)), labels].mean())
    return loss, loss + PENALTY / 2 * float(np.square(weight).sum())


def test_same_loss_and_accuracy_as_scikit_learn(probe: ProbeConfig) -> None:
    plan = make_probe_plan(probe)
    train_probe(plan, ALONE)
    head = read_head(plan.paths.head)
    weight, bias = (head[f"fc.{name}"].double().numpy() for name in ("weight", "bias"))
    train, train_labels, test, test_labels = features(probe)
    assert train.shape == test.shape == (160, 1280)

    # scikit-learn minimises C * sum of losses + half the squared norm; the intercept is free.
    theirs = LogisticRegression(C=1 / (PENALTY * len(train)), tol=1e-8, max_iter=10_000)
    theirs.fit(train, train_labels)
    ours = objective(train, train_labels, weight, bias)
    wanted = objective(train, train_labels, theirs.coef_, theirs.intercept_)
    # The intercept, which is not penalised, is what converges last.
    assert ours[0] == pytest.approx(wanted[0], rel=0.01)
    assert ours[1] == pytest.approx(wanted[1], rel=0.01)

    right = (test @ weight.T + bias).argmax(1) == test_labels
    their_right = theirs.predict(test) == test_labels
    difference = right.astype(float) - their_right
    half = norm.ppf(0.975) * difference.std(ddof=1) / np.sqrt(len(difference))
    assert abs(difference.mean()) <= half or not difference.any()
    only_ours, only_theirs = int((difference > 0).sum()), int((difference < 0).sum())
    if only_ours + only_theirs:
        assert binomtest(only_ours, only_ours + only_theirs).pvalue > 0.05
    # 16 classes: chance is 6 %, and 10 pictures of each category are little to learn from.
    assert right.mean() > 0.15
    content = torch.load(plan.paths.head, weights_only=True)
    assert content["val_top1"] == pytest.approx(right.mean(), abs=1e-12)
