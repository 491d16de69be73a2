"""What counts of the parts of a run, worked out by hand."""

import pytest

from oodbench.sweeps.forecast.parts import Parts


@pytest.mark.parametrize(
    ("at_once", "seconds"),
    [(True, 5.0), (False, 9.0)],
)
def test_on_an_accelerator_the_longest_counts_on_a_cpu_all(at_once: bool, seconds: float) -> None:
    assert Parts(loading=3, copying=1, network=5, at_once=at_once).seconds == seconds


def test_the_longest_is_the_bottleneck() -> None:
    assert Parts(3, 1, 5, at_once=True).bottleneck == "network"
    assert Parts(3, 4, 2, at_once=True).bottleneck == "copying"
    assert Parts(3, 1, 2, at_once=True).bottleneck == "loading"
