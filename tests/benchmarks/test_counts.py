"""Official counts: every benchmark against its data set, and those of the sources."""

import pytest
from configs import composed

from oodbench.core.building import build
from oodbench.core.schema import shipped
from oodbench.data.sets.facts import data_sets
from oodbench.reference import SEVERITIES, class_lists, objectnet_classes

KNOWN = {
    "imagenet_v2_matched_frequency": 10_000,  # modestyachts/imagenet-testbed, imagenet_v2.py
    "imagenet_v2_threshold07": 10_000,
    "imagenet_v2_topimages": 10_000,
    "imagenet_r": 30_000,  # hendrycks/imagenet-r, README
    "imagenet_r_clean": 10_000,  # imagenet-testbed, val-on-imagenet-r-classes
    "imagenet_a_clean": 10_000,
    "objectnet_clean": 6_250,  # imagenet-testbed, val-on-objectnet-classes
    "imagenet_real": 50_000,
    "imagenet_w": 50_000,
    "imagenet_x": 50_000,
    "imagenet_o": 2_000,  # Hendrycks et al. 2021
    "imagenet_c_bar": 50_000,
    "imagenet_3dcc": 50_000,
    "stylized_imagenet": 50_000,  # imagenet-testbed, stylized_imagenet.py
    "edges": 160,
    "silhouettes": 160,
}


@pytest.mark.parametrize("name", KNOWN)
def test_counts_of_the_sources(name: str) -> None:
    protocol = composed(f"benchmark={name}").benchmark.protocol
    assert protocol["n_expected"] == KNOWN[name]


def test_objectnet_s_count_is_not_made_up() -> None:
    assert "n_expected" not in composed("benchmark=objectnet").benchmark.protocol
    assert data_sets()["objectnet"].n_files is None


def test_imagenet_o_is_held_against_fifty_pictures_of_each_class() -> None:
    protocol = composed("benchmark=imagenet_o").benchmark.protocol
    assert protocol["n_known"] == 50 * len(class_lists()["imagenet_o"]) == 10_000


def test_the_controls_have_fifty_pictures_of_each_class() -> None:
    for name, classes in (("imagenet_a_clean", 200), ("imagenet_r_clean", 200)):
        assert KNOWN[name] == 50 * classes
    assert KNOWN["objectnet_clean"] == 50 * sum(map(len, objectnet_classes().values()))


@pytest.mark.parametrize("name", ["imagenet_c_bar", "imagenet_3dcc"])
def test_files_of_all_cells(name: str) -> None:
    benchmark = build(composed(f"benchmark={name}").benchmark.protocol, "benchmark.protocol")
    cells = len(benchmark.corruptions) * len(SEVERITIES)
    assert data_sets()[name].n_files == cells * benchmark.n_expected


def test_every_other_benchmark_is_here() -> None:
    published = ("imagenet", "imagenet_a", "imagenet_c", "imagenet_p", "imagenet_sketch")
    others = (*published, "cue_conflict", "adversarial", "objectnet")
    generated = ("imagenet_c_generated", "imagenet_p_generated")
    assert set(shipped("benchmark")) == {*KNOWN, *others, *generated}
