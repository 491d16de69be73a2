"""Pixels against torchvision's own transforms, sizes worked out by hand."""

from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode, v2

from oodbench.core.building import build
from oodbench.core.errors import ConfigError, DataError
from oodbench.core.schema import validate
from oodbench.preprocessing import Preprocessing, centre_crop, resized_size
from oodbench.sweeps.composing import register_all

SIZES = [
    (1, 1),
    (5, 90),
    (90, 5),
    (23, 24),
    (24, 24),
    (24, 31),
    (25, 47),
    (31, 23),
    (32, 32),
    (33, 50),
    (37, 36),
    (47, 29),
    (64, 48),
    (71, 33),
    (101, 67),
]
MODES = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}


def noise(size: tuple[int, int]) -> Image.Image:
    width, height = size
    pixels = np.random.default_rng([width, height]).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def torchvision_pixels(picture: Image.Image, steps: list[Any]) -> np.ndarray[Any, Any]:
    """Floats (height, width, 3) in [0, 1]."""
    tensor = transforms.Compose([*steps, transforms.ToTensor()])(picture)
    return np.asarray(tensor.permute(1, 2, 0))


def assert_same(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> None:
    assert ours.dtype == np.uint8
    np.testing.assert_array_equal(ours.astype(np.float32) / np.float32(255), theirs)


@pytest.mark.parametrize("interpolation", MODES)
@pytest.mark.parametrize("size", SIZES)
def test_resize_and_crop_equal_torchvision(size: tuple[int, int], interpolation: str) -> None:
    ours = Preprocessing(resize=32, crop=28, interpolation=interpolation)(noise(size))
    steps = [transforms.Resize(32, MODES[interpolation]), transforms.CenterCrop(28)]
    assert ours.shape == (28, 28, 3)
    assert_same(ours, torchvision_pixels(noise(size), steps))


@pytest.mark.parametrize("crop", [24, 27, 40])
@pytest.mark.parametrize("size", SIZES)
def test_crop_alone_pads_smaller_pictures_as_torchvision(size: tuple[int, int], crop: int) -> None:
    ours = Preprocessing(crop=crop)(noise(size))
    assert_same(ours, torchvision_pixels(noise(size), [transforms.CenterCrop(crop)]))


@pytest.mark.parametrize("size", SIZES)
def test_crop_larger_than_the_resized_picture_is_padded(size: tuple[int, int]) -> None:
    ours = Preprocessing(resize=20, crop=33)(noise(size))
    steps = [transforms.Resize(20), transforms.CenterCrop(33)]
    assert_same(ours, torchvision_pixels(noise(size), steps))


@pytest.mark.parametrize("interpolation", MODES)
@pytest.mark.parametrize("size", SIZES)
def test_square_crop_then_resize(size: tuple[int, int], interpolation: str) -> None:
    ours = Preprocessing(square_crop=True, resize=24, interpolation=interpolation)(noise(size))
    steps = [
        transforms.CenterCrop(min(size)),
        transforms.Resize((24, 24), MODES[interpolation]),
    ]
    assert_same(ours, torchvision_pixels(noise(size), steps))


@pytest.mark.parametrize("interpolation", MODES)
@pytest.mark.parametrize("size", SIZES)
def test_squash_is_height_then_width(size: tuple[int, int], interpolation: str) -> None:
    ours = Preprocessing(resize=[20, 30], interpolation=interpolation)(noise(size))
    assert ours.shape == (20, 30, 3)
    steps = [transforms.Resize((20, 30), MODES[interpolation])]
    assert_same(ours, torchvision_pixels(noise(size), steps))


@pytest.mark.parametrize("size", SIZES)
def test_resize_after_crop(size: tuple[int, int]) -> None:
    ours = Preprocessing(resize=32, crop=28, resize_after_crop=41, interpolation="bicubic")
    steps = [
        transforms.Resize(32, InterpolationMode.BICUBIC),
        transforms.CenterCrop(28),
        transforms.Resize(41, InterpolationMode.BICUBIC),
    ]
    assert_same(ours(noise(size)), torchvision_pixels(noise(size), steps))


@pytest.mark.parametrize("interpolation", ["nearest", "lanczos", "box"])
def test_other_interpolations(interpolation: str) -> None:
    ours = Preprocessing(resize=19, interpolation=interpolation)(noise((37, 52)))
    steps = [transforms.Resize(19, InterpolationMode(interpolation))]
    assert_same(ours, torchvision_pixels(noise((37, 52)), steps))


def test_no_step_leaves_the_pixels_alone() -> None:
    picture = noise((13, 9))
    np.testing.assert_array_equal(Preprocessing()(picture), np.asarray(picture))


def test_the_result_can_be_written_to() -> None:
    assert Preprocessing()(noise((4, 4))).flags.writeable


def test_every_size_equals_torchvision() -> None:
    for width in range(1, 61):
        for height in (1, 7, 16, 31, 60):
            picture = Image.new("RGB", (width, height))
            ours = resized_size(picture.size, 16)
            assert ours == transforms.Resize(16)(picture).size, (width, height)


@pytest.mark.parametrize(
    ("size", "resize", "expected"),
    [
        ((500, 375), 256, (341, 256)),  # 341.33 is truncated
        ((375, 500), 256, (256, 341)),
        ((300, 200), 5, (7, 5)),  # 7.5 is truncated, not rounded
        ((500, 375), (224, 100), (100, 224)),
    ],
)
def test_sizes_by_hand(
    size: tuple[int, int], resize: int | tuple[int, int], expected: tuple[int, int]
) -> None:
    assert resized_size(size, resize) == expected


@pytest.mark.parametrize("size", [(60_000, 1), (1, 60_000)])
@pytest.mark.parametrize("backend", ["pil", "tensor"])
def test_a_strip_that_would_take_gigabytes_is_refused_before_it_does(
    size: tuple[int, int], backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """15,360,000 x 256 pixels, of which Pillow takes 4 bytes each: 15.7 GB."""
    prepare = Preprocessing(resize=256, crop=224, backend=backend)
    monkeypatch.setattr(prepare, "_scale", None)
    with pytest.raises(DataError, match=r"^.* pixels would become .*preprocessing.resize=256: "):
        prepare(Image.new("RGB", size))


def test_what_a_config_asks_for_of_usual_pictures_is_not_refused() -> None:
    scaled = []
    prepare = Preprocessing(resize=20_000)
    prepare._scale = lambda picture, size: scaled.append(size) or picture
    for size in ((500, 375), (100, 390), (1, 1)):
        prepare(Image.new("RGB", size))
    assert scaled == [(26_666, 20_000), (20_000, 78_000), (20_000, 20_000)]
    strip = Image.new("RGB", (60_000, 1))
    assert Preprocessing(square_crop=True, resize=256)(strip).shape == (256, 256, 3)
    assert Preprocessing(resize=[256, 256])(strip).shape == (256, 256, 3)
    assert Preprocessing(crop=224)(strip).shape == (224, 224, 3)


def test_odd_margins_are_rounded_to_even() -> None:
    """Margins 2.5 -> 2 and 1.5 -> 2: the crop starts at column 2 and row 2."""
    columns, rows = np.meshgrid(np.arange(9), np.arange(7))
    pixels = np.stack([columns, rows, 0 * rows], axis=2).astype(np.uint8)
    cropped = np.asarray(centre_crop(Image.fromarray(pixels), 4))
    assert cropped[0, 0].tolist() == [2, 2, 0]
    assert cropped[-1, -1].tolist() == [5, 5, 0]


def test_unknown_interpolation_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"interpolation=cubic: available: .*bicubic"):
        Preprocessing(interpolation="cubic")


@pytest.mark.parametrize("sides", [[224], [224, 224, 3], []])
def test_resize_of_other_than_two_sides(sides: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"preprocessing\.resize=.*\[height, width\]"):
        Preprocessing(resize=sides)


@pytest.mark.parametrize("size", [0, -1])
@pytest.mark.parametrize("key", ["resize", "crop", "resize_after_crop"])
def test_sizes_below_one_pixel(key: str, size: int) -> None:
    sizes: dict[str, Any] = {key: size}
    with pytest.raises(ConfigError, match=rf"preprocessing\.{key}={size}"):
        Preprocessing(**sizes)


def test_a_side_below_one_pixel() -> None:
    with pytest.raises(ConfigError, match=r"preprocessing\.resize="):
        Preprocessing(resize=[224, 0])


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", SIZES)
def test_the_tensor_backend_equals_torchvision_on_tensors(
    size: tuple[int, int], interpolation: str
) -> None:
    ours = Preprocessing(resize=32, crop=28, interpolation=interpolation, backend="tensor")
    tensor = v2.functional.pil_to_tensor(noise(size))
    steps = v2.Compose([v2.Resize(32, InterpolationMode(interpolation)), v2.CenterCrop(28)])
    expected = steps(tensor).permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(ours(noise(size)), expected)


@pytest.mark.parametrize("interpolation", MODES)
@pytest.mark.parametrize(
    "arguments",
    [
        {"square_crop": True, "resize": 24},
        {"resize": [20, 30]},
        {"resize": 32, "crop": 28, "resize_after_crop": 41},
        {"resize": 20, "crop": 33},
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_every_step_of_the_tensor_backend_equals_torchvision(
    size: tuple[int, int], arguments: dict[str, Any], interpolation: str
) -> None:
    mode = MODES[interpolation]
    given = dict(arguments)
    steps: list[Any] = [v2.CenterCrop(min(size))] if given.pop("square_crop", False) else []
    steps.append(v2.Resize(given.pop("resize"), mode))
    if "crop" in given:
        steps.append(v2.CenterCrop(given.pop("crop")))
    if given:
        steps.append(v2.Resize(given.pop("resize_after_crop"), mode))
    expected = v2.Compose(steps)(v2.functional.pil_to_tensor(noise(size)))
    ours = Preprocessing(**arguments, interpolation=interpolation, backend="tensor")
    np.testing.assert_array_equal(ours(noise(size)), expected.permute(1, 2, 0).numpy())


@pytest.mark.parametrize(("interpolation", "most"), [("bilinear", 1), ("bicubic", 2)])
def test_the_backends_differ_by_few_grey_levels(interpolation: str, most: int) -> None:
    by_pil = Preprocessing(resize=24, interpolation=interpolation)
    by_tensor = Preprocessing(resize=24, interpolation=interpolation, backend="tensor")
    for picture in [noise(size) for size in SIZES if min(size) > 30]:
        difference = by_pil(picture).astype(int) - by_tensor(picture)
        assert np.abs(difference).max() <= most


@pytest.mark.parametrize("name", ["published", "timm", "square", "squash", "resize256_crop224"])
def test_the_tensor_backend_is_chosen_on_the_command_line(name: str) -> None:
    register_all()
    chosen = [f"preprocessing={name}", "preprocessing.backend=tensor", "model=efficientnet_lite0"]
    with initialize_config_module("oodbench.conf", version_base="1.3"):
        run = validate(compose("config", overrides=[*chosen, "benchmark=imagenet"]))
    ours = build(run.preprocessing, "preprocessing")
    again = build(run.preprocessing | {"backend": "pil"}, "preprocessing")
    picture = noise((300, 280))
    assert ours(picture).shape == again(picture).shape
    assert not np.array_equal(ours(picture), again(picture))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"backend": "cv2"}, "preprocessing.backend=cv2: available: pil, tensor"),
        ({"backend": "tensor", "interpolation": "box"}, "interpolation=box: with preprocessing"),
    ],
)
def test_a_backend_that_cannot_is_refused(arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        Preprocessing(resize=24, **arguments)


@pytest.mark.parametrize("resize", [100, 223, 224, 225, [224, 300], [300, 223], None])
@pytest.mark.parametrize("crop", [224, None])
def test_what_pads_every_picture_says_so(resize: int | list[int] | None, crop: int | None) -> None:
    made = Preprocessing(resize=resize, crop=crop)
    white = [Image.new("RGB", size, "white") for size in ((400, 300), (300, 300), (240, 500))]
    padded = [made(picture).min() < 255 for picture in white]
    assert bool(made.notes) == all(padded) == any(padded)


def test_the_note_of_a_padding_gives_both_keys() -> None:
    assert Preprocessing(resize=[300, 100], crop=224).notes == [
        "preprocessing.resize=[300, 100] leaves 100 pixels, and preprocessing.crop=224 pads every "
        "picture with black: resize to no less than the crop"
    ]


@pytest.mark.parametrize("given", ["abc", ["a", 1], {"a": 1}, 1.5, True])
def test_a_size_of_another_type_gets_a_sentence(given: Any) -> None:
    node = {"_target_": "oodbench.preprocessing.Preprocessing", "resize": given}
    with pytest.raises(ConfigError, match=r": must be an integer, a list of integers or null$"):
        build(node, "preprocessing")


def test_of_a_picture_that_is_resized_elsewhere_only_what_is_needed_is_handed_over() -> None:
    # 448 x 384 becomes 298 x 256, of which rows 16 to 239 and columns 37 to 260 are kept. A row is
    # 1.5 of before, and is made of those whose centres lie no further than 1.5 from its own: 24.75
    # for the first, 359.25 for the last, so that 23 to 360 are needed. Likewise 55 to 392 across.
    found = Preprocessing(resize=256, crop=224).unresized(noise((448, 384)))
    assert found is not None
    assert found.shape == (1, 224, 224, 3)
    height, width, _ = found.pixels.shape
    assert (height, width) == (361 - 23, 393 - 55)
    whole = np.asarray(noise((448, 384)))
    assert np.array_equal(found.pixels, whole[23 : 23 + height, 55 : 55 + width])


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ({"resize": 24, "interpolation": "nearest"}, (40, 40)),
        ({"resize": 24, "interpolation": "lanczos"}, (40, 40)),
        ({"resize": 24, "backend": "tensor"}, (40, 40)),
        ({}, (40, 40)),
        ({"crop": 24}, (40, 40)),
        ({"resize": 24}, (24, 40)),  # nothing to do
        ({"resize": 24, "crop": 32}, (40, 40)),  # padded
        ({"resize": 24, "crop": 20, "resize_after_crop": 30}, (40, 40)),  # twice
        ({"resize": 24}, (40, 100)),  # Pillow 13 begins with the columns
        ({"resize": [24, 40]}, (40, 41)),
        ({"resize": 24}, (600, 600)),  # more than a megabyte
    ],
)
def test_what_is_not_one_resize_of_rows_then_columns_is_not_handed_over(
    arguments: dict[str, Any], size: tuple[int, int]
) -> None:
    assert Preprocessing(**arguments).unresized(noise(size)) is None


def test_a_strip_is_refused_before_it_is_handed_over() -> None:
    with pytest.raises(DataError, match="crop the picture"):
        Preprocessing(resize=2000).unresized(Image.new("RGB", (1, 60)))
