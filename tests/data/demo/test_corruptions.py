import numpy as np
import pytest

from oodbench.data.demo.corruptions import CORRUPTIONS
from oodbench.data.demo.pictures import Pixels, random_generator
from oodbench.reference import read_table


def test_names_are_the_15_test_corruptions_of_the_reference() -> None:
    rows = read_table("corruption_reference.csv")
    published = {
        row["corruption"]
        for row in rows
        if row["benchmark"] == "imagenet_c" and row["set"] == "test"
    }
    assert len(CORRUPTIONS) == 15
    assert set(CORRUPTIONS) == published


@pytest.fixture(scope="module")
def scene() -> Pixels:
    """Blocks of 2 to 32 pixels, the larger the stronger, as in natural pictures; in [0.2, 0.8]."""
    generator = np.random.default_rng(0)
    layers = [
        side * np.kron(generator.random((96 // side, 128 // side, 3)), np.ones((side, side, 1)))
        for side in (2, 4, 8, 16, 32)
    ]
    return 0.2 + 0.6 * sum(layers) / (2 + 4 + 8 + 16 + 32)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_severity_is_further_from_the_clean_picture(name: str, scene: Pixels) -> None:
    distances = []
    for severity in range(1, 6):
        corrupted = CORRUPTIONS[name](scene, severity, random_generator(name))
        assert corrupted.shape == scene.shape
        assert np.isfinite(corrupted).all()
        distances.append(float(np.abs(np.clip(corrupted, 0, 1) - scene).mean()))
    assert distances[0] > 0.002
    assert distances == sorted(distances)
    assert distances[4] > 1.3 * distances[0]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_same_generator_same_pixels_and_the_input_stays(name: str, scene: Pixels) -> None:
    before = scene.copy()
    first, second = (CORRUPTIONS[name](scene, 3, random_generator("seed")) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(scene, before)
