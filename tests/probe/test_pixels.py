from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import v2 as reference
from toys import write_pictures

from oodbench.core.errors import DataError
from oodbench.probe.listing import Pictures
from oodbench.probe.pixels import (
    PictureSet,
    RandomCropAndFlip,
    centre_crop_transform,
    load_pixels,
    picture_seed,
)
from oodbench.probe.schema import ProbePreprocessingConfig


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    write_pictures(tmp_path, per_class=3, size=48, wnids=("a", "b"))
    paths = [f"{name}/{name}_{k:03d}.JPEG".encode() for name in "ab" for k in range(3)]
    return Pictures(tmp_path, np.array(paths), np.array([0, 0, 0, 1, 1, 1]))


def test_training_transform_is_torchvisions_published_one(pictures: Pictures) -> None:
    """RandomResizedCrop(224) and RandomHorizontalFlip, as main_lincls.py composes them."""
    published = reference.Compose(
        [
            reference.RandomResizedCrop(224, interpolation=InterpolationMode.BILINEAR),
            reference.RandomHorizontalFlip(),
        ]
    )
    picture = Image.open(pictures.path(0)).convert("RGB")
    for seed in range(6):
        torch.manual_seed(seed)
        wanted = np.array(published(picture))
        torch.manual_seed(seed)
        found = RandomCropAndFlip(224, "bilinear")(picture)
        assert (found == wanted).all()


def test_validation_is_resize_and_centre_crop(pictures: Pictures) -> None:
    picture = Image.open(pictures.path(0)).convert("RGB")
    wanted = reference.Compose([reference.Resize(256), reference.CenterCrop(224)])(picture)
    made = centre_crop_transform(ProbePreprocessingConfig(resize=256, crop=224))(picture)
    assert (made == np.array(wanted)).all()


def test_pixels_do_not_depend_on_workers_batches_or_what_came_before(pictures: Pictures) -> None:
    dataset = PictureSet(pictures, RandomCropAndFlip(24, "bilinear"), seed=1, epoch=2)
    pieces = [np.array([4, 1]), np.array([0, 5, 3]), np.array([2])]
    in_order = {}
    for workers in (0, 2):
        found = list(load_pixels(dataset, pieces, workers=workers, pin=False))
        assert [tuple(batch.shape) for batch in found] == [(m, 3, 24, 24) for m in (2, 3, 1)]
        in_order[workers] = torch.cat(found)
    assert torch.equal(in_order[0], in_order[2])
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert torch.equal(dataset[2], in_order[0][-1])
    assert torch.equal(before, torch.get_rng_state())


def test_every_epoch_and_seed_sees_other_pixels(pictures: Pictures) -> None:
    transform = RandomCropAndFlip(24, "bilinear")
    variants = [
        PictureSet(pictures, transform, seed=seed, epoch=epoch)[0]
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert not torch.equal(variants[0], variants[1])
    assert not torch.equal(variants[0], variants[2])


def test_seed_is_a_hash() -> None:
    # printf '7:3:a/b.png' | sha256sum
    assert picture_seed(7, 3, b"a/b.png") == 0x47AC0950CBFF1DE3 >> 1


def test_a_process_without_a_picture_gets_an_empty_batch(pictures: Pictures) -> None:
    dataset = PictureSet(pictures, RandomCropAndFlip(24, "bilinear"))
    (batch,) = load_pixels(dataset, [np.array([], dtype=np.int64)], workers=0, pin=False)
    assert len(batch) == 0


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_picture_is_named_in_one_line(pictures: Pictures, workers: int) -> None:
    broken = pictures.path(1)
    broken.write_bytes(b"no picture")
    dataset = PictureSet(pictures, RandomCropAndFlip(24, "bilinear"))
    with pytest.raises(DataError) as caught:
        list(load_pixels(dataset, [np.array([0, 1])], workers=workers, pin=False))
    assert str(caught.value).startswith(f"{broken}: cannot be read as a picture: ")
    assert "\n" not in str(caught.value)
