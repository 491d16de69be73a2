import colorsys
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest

from oodbench.core.errors import ConfigError
from oodbench.data.corruptions import frost_textures, weather
from oodbench.data.corruptions.motion import motion_blurred
from oodbench.data.corruptions.parameters import parameters
from oodbench.data.corruptions.plasma import plasma
from oodbench.data.corruptions.zooming import zoomed


def generator() -> np.random.Generator:
    return np.random.default_rng(11)


def plasma_by_loops(rng: np.random.Generator, size: int, decay: float) -> np.ndarray:
    """Diamond-square on a torus, one height at a time."""
    heights = np.zeros((size, size))
    wibble, step = 100.0, size
    while step >= 2:
        half = step // 2
        corners = [(-half, -half), (-half, half), (half, -half), (half, half)]
        sides = [(-half, 0), (half, 0), (0, -half), (0, half)]
        for first_row, first_column, near in (
            (half, half, corners),
            (0, half, sides),
            (half, 0, sides),
        ):
            draws = rng.uniform(-wibble, wibble, (size // step, size // step))
            for row in range(first_row, size, step):
                for column in range(first_column, size, step):
                    around = [heights[(row + y) % size, (column + x) % size] for y, x in near]
                    draw = draws[row // step, column // step]
                    heights[row, column] = sum(around) / 4 + wibble * draw
        step, wibble = half, wibble / decay
    heights -= heights.min()
    return heights / heights.max()


@pytest.mark.parametrize("decay", [1.4, 2])
def test_plasma_is_diamond_square(decay: float) -> None:
    expected = plasma_by_loops(generator(), 32, decay)
    np.testing.assert_allclose(plasma(generator(), 32, decay), expected, atol=1e-12)


def test_fog_brightens_and_scales_back(picture: np.ndarray) -> None:
    height, width = picture.shape[:2]
    cloud = plasma(generator(), 64, 2)[:height, :width, None]
    brightest = picture.max() / 255
    expected = (picture / 255 + 1.5 * cloud) * brightest / (brightest + 1.5) * 255
    foggy = weather.fog(picture, generator(), amplitude=1.5, decay=2)
    assert np.abs(foggy - np.floor(expected.clip(0, 255))).max() <= 1


def test_fog_of_black_is_black() -> None:
    black = np.zeros((32, 32, 3), np.uint8)
    assert not weather.fog(black, generator(), amplitude=3, decay=1.4).any()


def test_snow_step_by_step(picture: np.ndarray) -> None:
    given = parameters("snow", 3)
    rng = generator()
    field = zoomed(rng.normal(given["mean"], given["std"], picture.shape[:2]), given["zoom"])
    field[field < given["threshold"]] = 0
    bytes_ = (field.clip(0, 1) * 255).astype(np.uint8)
    angle = rng.uniform(-135, -45)
    layer = motion_blurred(bytes_, given["radius"], given["sigma"], angle) / 255
    grey = picture @ [0.299, 0.587, 0.114] / 255
    clean = picture / 255
    white = np.maximum(clean, (grey * 1.5 + 0.5)[..., None])
    mixed = given["picture_weight"] * clean + (1 - given["picture_weight"]) * white
    expected = (mixed + (layer + np.rot90(layer, 2))[..., None]).clip(0, 1) * 255
    made = weather.snow(picture, generator(), **given)
    assert np.abs(made - np.floor(expected)).max() <= 1


def test_brightness_raises_the_value_of_hsv(picture: np.ndarray) -> None:
    made = weather.brightness(picture, generator(), added=0.3)
    for row, column in ((0, 0), (15, 15), (39, 47), (5, 30)):
        hue, saturation, value = colorsys.rgb_to_hsv(*(picture[row, column] / 255))
        expected = colorsys.hsv_to_rgb(hue, saturation, min(value + 0.3, 1))
        assert np.abs(made[row, column] - 255 * np.array(expected)).max() <= 1


@pytest.fixture
def textures(tmp_path, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Textures of our own in the place of the published ones, RGB; the last is small."""
    folder = tmp_path / "corrupt_tta" / "assets" / "frost"
    folder.mkdir(parents=True)
    (tmp_path / "corrupt_tta" / "__init__.py").write_text("raise RuntimeError('imported')")
    made = []
    sha256s = {}
    for index, name in enumerate(frost_textures.published_textures()):
        side = 20 if index == 4 else 90
        texture = np.full((side, side + 10, 3), 30 * index, np.uint8)
        texture[..., 0] = np.arange(side + 10)
        made.append(texture)
        # PNG whatever the suffix: no loss
        data = cv2.imencode(".png", texture[..., ::-1])[1].tobytes()
        (folder / name).write_bytes(data)
        sha256s[name] = sha256(data).hexdigest()
    monkeypatch.setattr(frost_textures, "published_textures", lambda: sha256s)
    monkeypatch.setattr(frost_textures, "FOLDERS", {"corrupt_tta": "assets/frost"})
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    frost_textures.frost_textures.cache_clear()
    yield made
    frost_textures.frost_textures.cache_clear()


def test_frost_adds_a_crop_of_a_texture(textures: list[np.ndarray], picture: np.ndarray) -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        texture = textures[rng.integers(5)]
        if len(texture) == 20:
            continue
        top = rng.integers(0, texture.shape[0] - 40)
        left = rng.integers(0, texture.shape[1] - 48)
        crop = texture[top : top + 40, left : left + 48]
        expected = np.floor((0.8 * picture + 0.6 * crop).clip(0, 255))
        made = weather.frost(
            picture, np.random.default_rng(seed), picture_weight=0.8, frost_weight=0.6
        )
        np.testing.assert_array_equal(made, expected)


def test_a_small_texture_is_enlarged(textures: list[np.ndarray], picture: np.ndarray) -> None:
    seed = next(s for s in range(99) if np.random.default_rng(s).integers(5) == 4)
    black = np.zeros_like(picture)
    rng = np.random.default_rng(seed)
    made = weather.frost(black, rng, picture_weight=1, frost_weight=1)
    assert made.shape == picture.shape
    assert set(np.unique(made[..., 1])) == {120}


def test_without_the_textures_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frost_textures, "FOLDERS", {"no_such_package": "frost"})
    with pytest.raises(ConfigError, match=r"'\.\[corruptions\]'") as raised:
        frost_textures.frost_folder()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("damage", ["missing", "cut short", "another picture"])
def test_a_texture_that_is_not_the_published_one_is_named(
    textures: list[np.ndarray], tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "corrupt_tta" / "assets" / "frost"
    file = folder / "frost2.png"
    if damage == "missing":
        file.unlink()
    elif damage == "cut short":
        file.write_bytes(file.read_bytes()[:-9])
    else:
        file.write_bytes((folder / "frost3.png").read_bytes())
    with pytest.raises(ConfigError, match=r"frost2\.png: not the published frost texture: pip"):
        frost_textures.frost_textures()
