"""What is known of data sets is whole, and benchmarks look for them where it says."""

from urllib.parse import urlsplit

import pytest

from oodbench.core.schema import shipped
from oodbench.core.shipped import shipped_benchmark
from oodbench.data.sets.facts import DataSet, data_sets


@pytest.mark.parametrize("found", data_sets().values(), ids=lambda found: found.name)
def test_facts_are_whole(found: DataSet) -> None:
    assert found.title
    assert "\n" not in found.about
    assert urlsplit(found.page).scheme == "https"
    names = [archive.file for archive in found.archives]
    assert len(names) == len(set(names))
    for archive in found.archives:
        for address in [archive.url, *archive.mirrors]:
            assert address is None or urlsplit(address).scheme == "https"
        for digest, length in ((archive.md5, 32), (archive.sha256, 64)):
            assert digest is None or (len(digest) == length and int(digest, 16))


@pytest.mark.parametrize("name", shipped("benchmark"))
def test_benchmarks_look_where_the_data_set_has_to_be(name: str) -> None:
    node = shipped_benchmark(name) or {}
    found = data_sets()[node["dataset"]]
    assert node["root"] == f"${{data.root}}/{found.place}"


def test_sums_are_those_of_the_sources() -> None:
    """Against torchvision's own table of ImageNet's archives."""
    from torchvision.datasets import imagenet

    known = dict(imagenet.ARCHIVE_META.values())
    for archive in data_sets()["imagenet_val"].archives:
        assert archive.md5 == known[archive.file]
