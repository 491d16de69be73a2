import math
import time

import numpy as np
import pandas as pd
import pytest
from published_names import PERTURBATIONS
from scipy.stats import rankdata

from oodbench.core.errors import DataError
from oodbench.metrics.perturbation import (
    TEST_PERTURBATIONS,
    clip_scores,
    combine,
    normalised,
    perturbation,
    top5_distance,
)


def records_of(clips: dict[str, np.ndarray], split: str) -> pd.DataFrame:
    """Records of logits `(frames, classes)`, ordered by rankdata (ties by class index)."""
    rows = []
    for image, logits in clips.items():
        for frame, row in enumerate(logits):
            ranks = rankdata(-row, method="ordinal")
            top5 = [int(np.flatnonzero(ranks == r)[0]) for r in range(1, 6)]
            rows.append((image, split, frame, top5[0], top5))
    records = pd.DataFrame(rows, columns=["image", "split", "frame", "prediction", "top5"])
    return records.astype({"frame": np.int16, "prediction": np.int16})


def by_predictions(clips: dict[str, list[int]], split: str) -> pd.DataFrame:
    return records_of(
        {
            name: np.array([np.roll(np.arange(20, 0, -1), c) for c in classes])
            for name, classes in clips.items()
        },
        split,
    )


def random_clips(lengths: list[int], seed: int) -> dict[str, np.ndarray]:
    """Logits that drift from frame to frame; whole numbers, so that ties occur."""
    generator = np.random.default_rng(seed)
    return {
        f"n{i}/v{i}.mp4": np.cumsum(generator.integers(-2, 3, (length, 12)), axis=0)
        for i, length in enumerate(lengths)
    }


def authors_scores(logits: np.ndarray, *, noise: bool) -> tuple[float, float]:
    """Flip probability and top-5 distance of one clip as the authors' released code has them."""
    classes = logits.shape[1]
    cumulative = np.cumsum([0] + [1] * 5 + [0] * (classes - 6))
    ranks = [rankdata(-row, method="ordinal").astype(int) for row in logits]
    predictions = [int(np.argmax(row)) for row in logits]
    flips, distances = [], []
    before = 0
    for now in range(1, len(logits)):
        sigma = ranks[now][np.argsort(ranks[before])]
        distances.append(np.abs(cumulative[:5] - cumulative[sigma - 1][:5]).sum())
        flips.append(predictions[now] != predictions[before])
        if not noise:
            before = now
    return float(np.mean(flips)), float(np.mean(distances))


def test_the_ten_test_perturbations_are_those_of_the_paper() -> None:
    assert list(TEST_PERTURBATIONS) == PERTURBATIONS


@pytest.mark.parametrize("split", ["gaussian_noise", "speckle_noise", "snow", "translate"])
def test_clips_are_scored_as_by_the_authors_loops(split: str) -> None:
    clips = random_clips([2, 31, 41, 5], seed=0)
    found = clip_scores(records_of(clips, split))
    assert found.index.tolist() == list(clips)
    expected = [authors_scores(logits, noise="noise" in split) for logits in clips.values()]
    np.testing.assert_allclose(found[["flip_probability", "top5_distance"]], expected)
    assert found["flip_probability"].between(0.05, 0.95).any()
    assert found["top5_distance"].between(1, 14).any()


@pytest.mark.parametrize(("split", "flips"), [("shot_noise", 2 / 4), ("tilt", 3 / 4)])
def test_flips_by_hand(split: str, flips: float) -> None:
    # 1 -> 1 2 1 2: two frames differ from the first; three from the frame before them.
    scores = perturbation(by_predictions({"n/a.mp4": [1, 1, 2, 1, 2]}, split))
    assert scores["flip_probability"].value == pytest.approx(flips)


@pytest.mark.parametrize(
    ("reference", "other", "distance"),
    [
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 0),
        ([1, 2, 3, 4, 5], [6, 7, 8, 9, 10], 15),
        ([1, 2, 3, 4, 5], [2, 1, 3, 4, 5], 2),
        ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1], 12),
        ([1, 2, 3, 4, 5], [9, 1, 2, 3, 4], 5),  # all move down by one, the fifth to 6
        ([9, 1, 2, 3, 4], [1, 2, 3, 4, 5], 9),  # 9 leaves: 5, the others move up by one
    ],
)
def test_top5_distance_by_hand(reference: list[int], other: list[int], distance: int) -> None:
    assert top5_distance(np.array([reference]), np.array([other])).tolist() == [distance]


def test_ranks_without_a_class_add_nothing() -> None:
    """Of a network with three classes: by hand, a move by one of two of them, and none."""
    reference = np.array([[4, 7, 9, -1, -1]] * 2)
    other = np.array([[7, 4, 9, -1, -1], [4, 7, 9, -1, -1]])
    assert top5_distance(reference, other).tolist() == [2, 0]


def test_clips_weigh_equally_whatever_their_length() -> None:
    records = by_predictions({"n/a.mp4": [1, 2], "n/b.mp4": [1] * 41, "n/c.mp4": [1] * 31}, "snow")
    score = perturbation(records)["flip_probability"]
    assert score.value == pytest.approx(1 / 3)
    assert (score.n, score.unit, score.higher_is_better) == (3, "fraction", False)
    distance = perturbation(records)["top5_distance"]
    assert distance.unit == "distance"
    assert distance.value == pytest.approx(9 / 3)  # class 1 leaves, 2..5 move up by one


def test_interval_resamples_clips() -> None:
    flips = [[1, 2], [1, 1]]
    clips = {f"n/{i}.mp4": flips[i % 4 > 0] for i in range(200)}
    score = perturbation(by_predictions(clips, "scale"))["flip_probability"]
    half = 1.96 * (0.25 * 0.75 / 200) ** 0.5
    assert score.value == 0.25
    assert (score.low, score.high) == pytest.approx((0.25 - half, 0.25 + half), abs=0.012)


def test_a_single_frame_is_refused_by_name() -> None:
    records = by_predictions({"n/a.mp4": [1, 1], "n/broken.mp4": [1]}, "snow")
    with pytest.raises(DataError, match=r"n/broken\.mp4: one frame"):
        clip_scores(records)


def test_rows_out_of_order_are_refused() -> None:
    records = by_predictions({"n/a.mp4": [1, 1, 2], "n/b.mp4": [1, 2, 2]}, "snow")
    for wrong in (
        records.iloc[1:],
        records.iloc[[0, 2, 1, 3, 4, 5]],
        records.iloc[[0, 1, 5, 3, 4, 2]],
        records.iloc[:0],
    ):
        with pytest.raises(ValueError, match="expected the"):
            clip_scores(wrong)


def test_a_full_perturbation_takes_seconds() -> None:
    generator = np.random.default_rng(0)
    n = 31 * 5_000  # a tenth of the real size
    top5 = generator.integers(0, 1000, (n, 5)).astype(np.int16)
    records = pd.DataFrame(
        {
            "image": np.repeat([f"n/{i}.mp4" for i in range(5_000)], 31),
            "split": "snow",
            "frame": np.tile(np.arange(31, dtype=np.int16), 5_000),
            "prediction": top5[:, 0],
            "top5": list(top5),
        }
    )
    start = time.perf_counter()
    clip_scores(records)
    assert time.perf_counter() - start < 2  # about 0.2 s on a quiet machine


def tables(n: int = 50, seed: int = 0) -> dict[str, pd.DataFrame]:
    generator = np.random.default_rng(seed)
    shaky = generator.random(n)
    return {
        name: pd.DataFrame(
            {
                "flip_probability": 0.5 * shaky + 0.1 * generator.random(n),
                "top5_distance": 9 * shaky + generator.random(n),
            },
            index=[f"{name}/n{i % 3}/v{i}.mp4" for i in range(n)],
        )
        for name in PERTURBATIONS
    }


def test_combine_is_the_mean_over_the_ten_with_joint_intervals() -> None:
    clips = tables()
    scores = combine(clips | {"shear": tables(seed=5)["snow"]})
    for metric, unit in (("flip_probability", "fraction"), ("top5_distance", "distance")):
        values = np.array([clips[name][metric] for name in PERTURBATIONS])
        assert scores[metric].value == pytest.approx(values.mean())
        assert (scores[metric].n, scores[metric].unit) == (50, unit)
        generator = np.random.default_rng(7)
        means = [values[:, generator.integers(50, size=50)].mean() for _ in range(2000)]
        low, high = np.percentile(means, [2.5, 97.5])
        found = (scores[metric].low, scores[metric].high)
        assert found == pytest.approx((low, high), abs=0.1 * (high - low))


def test_combine_of_other_clips_has_no_interval() -> None:
    clips = tables()
    clips["snow"] = clips["snow"].iloc[:-1]
    score = combine(clips)["flip_probability"]
    assert score.value == pytest.approx(
        np.mean([c["flip_probability"].mean() for c in clips.values()])
    )
    assert math.isnan(score.low)
    assert "different pictures" in score.note


def test_missing_perturbations_are_named() -> None:
    clips = tables()
    del clips["snow"], clips["tilt"]
    normaliser = {name: {"flip_probability": 0.1, "top5_distance": 2.0} for name in PERTURBATIONS}
    for score in (*combine(clips).values(), *normalised(clips, normaliser).values()):
        assert math.isnan(score.value)
        assert score.note == "perturbations missing: snow, tilt"


def test_normalised_by_hand() -> None:
    clips = tables()
    normaliser = {
        name: {"flip_probability": 0.1 + 0.01 * i, "top5_distance": 2.0 + i}
        for i, name in enumerate(PERTURBATIONS)
    }
    scores = normalised(clips, normaliser)
    for score, metric in (("mfr", "flip_probability"), ("mt5d", "top5_distance")):
        ratios = [clips[name][metric].mean() / normaliser[name][metric] for name in PERTURBATIONS]
        assert scores[score].value == pytest.approx(100 * sum(ratios) / 10)
        assert scores[score].unit == "percent"
        assert scores[score].low < scores[score].value < scores[score].high


def test_alexnet_against_itself_is_100() -> None:
    clips = tables()
    normaliser = {
        name: {metric: float(table[metric].mean()) for metric in table}
        for name, table in clips.items()
    }
    scores = normalised(clips, normaliser)
    assert scores["mfr"].value == pytest.approx(100)
    assert scores["mt5d"].value == pytest.approx(100)


@pytest.mark.parametrize("value", [0.0, -0.1, math.nan, math.inf, None])
def test_a_normaliser_that_is_none_is_named(value: float | None) -> None:
    normaliser = {name: {"flip_probability": 0.1, "top5_distance": 2.0} for name in PERTURBATIONS}
    if value is None:
        del normaliser["rotate"]["flip_probability"]
    else:
        normaliser["rotate"]["flip_probability"] = value
    scores = normalised(tables(), normaliser)
    assert math.isnan(scores["mfr"].value)
    assert scores["mfr"].note == "no normaliser for rotate"
    assert scores["mt5d"].value > 0
