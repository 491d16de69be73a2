import numpy as np
import pytest

from oodbench.metrics.diagnostics.risk_coverage import risk_coverage


def by_loops(confidence, correct):
    """Risk at the threshold of each picture, by the definition."""
    risks = {}
    for threshold in confidence:
        kept = [right for sure, right in zip(confidence, correct, strict=True) if sure >= threshold]
        risks[len(kept) / len(confidence)] = kept.count(False) / len(kept)
    area = 0.0
    for threshold in confidence:
        kept = [right for sure, right in zip(confidence, correct, strict=True) if sure >= threshold]
        area += kept.count(False) / len(kept) / len(confidence)
    return risks, area


@pytest.mark.parametrize("n", [1, 2, 7, 150, 333])
@pytest.mark.parametrize("distinct", [2, 10, 10**6])
def test_every_point_is_that_of_loops(n, distinct):
    rng = np.random.default_rng(n + distinct)
    confidence = (rng.integers(0, distinct, n) / distinct).astype(np.float32)
    correct = rng.uniform(size=n) < 0.3 + 0.5 * confidence
    risks, area = by_loops(confidence.tolist(), correct.tolist())
    found = risk_coverage(confidence, correct)
    assert found.aurc == pytest.approx(area)
    assert len(found.coverage) <= 101
    assert found.coverage == sorted(set(found.coverage))
    assert found.coverage[-1] == 1.0
    for coverage, risk in zip(found.coverage, found.risk, strict=True):
        assert risk == pytest.approx(risks[coverage])
    if len(risks) <= 100:
        assert found.coverage == sorted(risks)


def test_all_right_all_wrong_and_all_alike():
    sure = np.linspace(0, 1, 50)
    assert risk_coverage(sure, np.ones(50, bool)).aurc == 0
    assert risk_coverage(sure, np.zeros(50, bool)).aurc == 1
    alike = risk_coverage(np.full(4, 0.5), np.array([True, False, False, True]))
    assert (alike.coverage, alike.risk, alike.aurc) == ([1.0], [0.5], 0.5)


def test_by_hand():
    found = risk_coverage(np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, False, True, False]))
    assert found.coverage == [0.25, 0.75, 1.0]
    assert found.risk == pytest.approx([0, 1 / 3, 1 / 2])
    assert found.aurc == pytest.approx((0 + 1 / 3 + 1 / 3 + 1 / 2) / 4)


def test_no_pictures():
    with pytest.raises(ValueError, match="n >= 1"):
        risk_coverage(np.empty(0), np.empty(0, bool))
