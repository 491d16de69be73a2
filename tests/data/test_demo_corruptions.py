import numpy as np
import pytest

from oodbench.data.demo_corruptions import CORRUPTIONS
from oodbench.data.demo_pictures import Pixels, random_generator
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
    """Stripes and a disc: edges, flat parts and colours, none of them at the ends of the range."""
    rows, columns = np.indices((96, 128))
    stripes = 0.4 + 0.2 * ((columns // 9) % 2)
    disc = np.hypot(rows - 48, columns - 64) < 30
    return np.stack([stripes, 0.3 + 0.3 * disc, 0.25 + 0.003 * rows], axis=-1)


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
