from math import nan
from typing import Any

import pytest
from run_factory import run_result, score

from oodbench.reports.tables.cells import cell_text

UNREADABLE = [{"image": f"{name}.jpg", "reason": "cut short"} for name in "ab"]
SKIPPED = {"": {"n_items": 10, "n": 8, "n_expected": 10, "skipped": UNREADABLE}}


def report(*verdicts: str) -> dict[str, Any]:
    return {"checks": [{"name": f"check {verdict}", "verdict": verdict} for verdict in verdicts]}


@pytest.mark.parametrize(
    ("run", "metric", "value", "text"),
    [
        # The published IN of resnet50 is 76.1 %.
        ({}, "top1", score(0.7613, 0.757, 0.765), "76.1 [75.7, 76.5] (pub. 76.1, +0.0)"),
        ({}, "top1", score(0.7508, 0.74, 0.76), "75.1 [74.0, 76.0] (pub. 76.1, -1.0)"),
        ({}, "top1", score(0.76096, 0.757, 0.765), "76.1 [75.7, 76.5] (pub. 76.1, +0.0)"),
        (
            {"model": "resnext101_32x48d_wsl"},
            "top1",
            score(0.8534, 0.85, 0.857),
            "85.3 [85.0, 85.7] (testbed 85.4, -0.1)",
        ),
        (
            {"benchmark": "imagenet_c"},
            "mce",
            score(76.7, 76.4, 77.0, unit="percent"),
            "76.7 [76.4, 77.0] (testbed 78.2, other protocol)",
        ),
        ({"model": "mynet"}, "top1", score(0.5, 0.4, 0.6), "50.0 [40.0, 60.0]"),
        ({"model": "mynet"}, "top1", score(0.5), "50.0"),
        ({"model": "mynet"}, "t5d", score(3.456, 3.1, 3.9, unit="distance"), "3.46 [3.10, 3.90]"),
        (
            {"status": "partial", "n_images": 10, "n_expected": 50000},
            "top1",
            score(0.761, 0.7, 0.8),
            "76.1 [70.0, 80.0] (pub. 76.1, +0.0) partial 10/50000",
        ),
        (
            {"status": "partial", "n_images": 8, "splits": SKIPPED},
            "top1",
            score(0.5),
            "50.0 (pub. 76.1, -26.1) partial 8/10 skipped 2",
        ),
        (
            {"status": "partial", "demo": True, "n_expected": 50000},
            "top1",
            score(0.7, 0.6, 0.8),
            "70.0 [60.0, 80.0] demo 10",
        ),
        (
            {"model": "tf_efficientnet_b8", "benchmark": "imagenet_c", "extension": True},
            "mce",
            score(60.0, 59.0, 61.0, unit="percent"),
            "60.0 [59.0, 61.0] ext.",
        ),
        (
            {"difference": ["preprocessing=timm"]},
            "top1",
            score(0.77, 0.76, 0.78),
            "77.0 [76.0, 78.0]",
        ),
        (
            {"attack_report": report("pass", "warn")},
            "top1",
            score(0.5),
            "50.0 (pub. 76.1, -26.1) !",
        ),
        ({"attack_report": report("pass", "not checked")}, "t5d", score(0.5), "50.0"),
        ({}, "top1", score(0.0, 0.0, 0.1), "0.0 [0.0, 10.0] (pub. 76.1, -76.1)"),
        ({}, "top1", score(nan), "–"),
        ({}, "top1", None, "–"),
        (
            {"status": "partial", "n_images": 3, "n_expected": 10},
            "top1",
            score(nan),
            "– partial 3/10",
        ),
    ],
)
def test_text(run: dict[str, Any], metric: str, value: Any, text: str) -> None:
    assert cell_text(run_result(**run), metric, value) == text
