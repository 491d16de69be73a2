"""Columns against torch's softmax and argmax, and against plain loops over class lists."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from oodbench.core.building import build, by_content
from oodbench.core.errors import ConfigError
from oodbench.core.ids import frozen
from oodbench.readouts import (
    ShapeCategories,
    Standard,
    Subset,
    confidence,
    cross_entropy,
    softmax,
    subset_content,
    top_classes,
)
from oodbench.reference import class_lists, geirhos_categories, imagenet_wnids


@pytest.fixture
def logits() -> np.ndarray:
    values = np.random.default_rng(0).normal(0, 3, (40, 1000))
    return values.astype(np.float32)


def ranking(row: np.ndarray) -> list[int]:
    """Class indices, the highest logit first, equal ones by index."""
    return sorted(range(len(row)), key=lambda k: (-float(row[k]), k))


def loop_softmax(row: list[float]) -> list[float]:
    highest = max(row)
    exponentials = [math.exp(value - highest) for value in row]
    total = math.fsum(exponentials)
    return [value / total for value in exponentials]


def test_softmax_is_torchs(logits: np.ndarray) -> None:
    expected = torch.from_numpy(logits).double().softmax(dim=1).numpy()
    np.testing.assert_allclose(softmax(logits), expected, rtol=1e-12)


def test_softmax_of_extreme_logits() -> None:
    probabilities = softmax(np.array([[1e30, -1e30, 0.0], [-3e38, -3e38, -3e38]], np.float32))
    np.testing.assert_allclose(probabilities, [[1, 0, 0], [1 / 3] * 3])


def test_standard_columns(logits: np.ndarray) -> None:
    columns = Standard()(logits)
    assert list(columns) == ["prediction", "confidence", "top5"]
    tensor = torch.from_numpy(logits)
    np.testing.assert_array_equal(columns["prediction"], tensor.argmax(dim=1).numpy())
    confidence = tensor.double().softmax(dim=1).amax(dim=1).numpy()
    np.testing.assert_allclose(columns["confidence"], confidence, rtol=1e-6)
    np.testing.assert_array_equal(columns["top5"], [ranking(row)[:5] for row in logits])


def test_label_columns_are_torchs(logits: np.ndarray) -> None:
    labels = np.arange(len(logits), dtype=np.int16) * 7
    columns = Standard().of_labels(logits, labels)
    logs = torch.from_numpy(logits).double().log_softmax(dim=1)
    expected = logs[torch.arange(len(logits)), torch.from_numpy(labels).long()].numpy()
    np.testing.assert_allclose(columns["label_log_probability"], expected, rtol=1e-6)
    squares = logs.exp().square().sum(dim=1).numpy()
    np.testing.assert_allclose(columns["sum_of_squared_probabilities"], squares, rtol=1e-6)
    assert {str(values.dtype) for values in columns.values()} == {"float32"}


def test_types_and_shapes(logits: np.ndarray) -> None:
    columns = {**Subset(classes="imagenet_a")(logits), **ShapeCategories()(logits)}
    assert {name: str(values.dtype) for name, values in columns.items()} == {
        "prediction": "int16",
        "confidence": "float32",
        "top5": "int16",
        "prediction_200way": "int16",
        "confidence_200way": "float32",
        "decision_max": "int8",
        "decision_mean": "int8",
    }
    assert columns.pop("top5").shape == (40, 5)
    assert {values.shape for values in columns.values()} == {(40,)}


def test_ties_go_to_the_lower_class_index() -> None:
    logits = np.zeros((3, 1000), np.float32)
    logits[1, [900, 7, 400]] = 2
    logits[2, 999] = 1
    columns = Standard()(logits)
    assert columns["top5"].tolist() == [[0, 1, 2, 3, 4], [7, 400, 900, 0, 1], [999, 0, 1, 2, 3]]
    assert columns["prediction"].tolist() == [0, 7, 999]


def test_coarse_logits_with_many_ties() -> None:
    logits = np.random.default_rng(1).integers(0, 4, (20, 1000)).astype(np.float32)
    expected = [ranking(row)[:5] for row in logits]
    np.testing.assert_array_equal(Standard()(logits)["top5"], expected)


def subset_indices() -> list[int]:
    return [imagenet_wnids().index(wnid) for wnid in class_lists()["imagenet_a"]]


def test_odd_logits_come_in_the_order_of_a_full_sort() -> None:
    logits = np.random.default_rng(5).integers(-3, 3, (64, 12)).astype(np.float32)
    logits[8:24, 7:] = -np.inf  # a head that lacks classes
    logits[40:48, 7] = np.inf
    logits[48:56, 2] = -0.0
    expected = np.argsort(-logits, axis=1, kind="stable")[:, :5]
    assert top_classes(logits, 5).tolist() == expected.tolist()


def test_a_class_without_output_is_never_among_the_best() -> None:
    logits = np.full((3, 12), -np.inf, np.float32)
    logits[0, [7, 3, 9]] = [0.5, 2, 1]
    logits[1, 4] = -3e38
    assert top_classes(logits, 5).tolist() == [
        [3, 9, 7, -1, -1],
        [4, -1, -1, -1, -1],
        [-1, -1, -1, -1, -1],
    ]
    assert top_classes(np.array([[0.5, 2, 1]], np.float32), 5).tolist() == [[1, 2, 0, -1, -1]]


def test_nan_is_no_class() -> None:
    """A run stops before, but whoever calls a readout gets no class 0 from it."""
    logits = np.zeros((1, 1000), np.float32)
    logits[0, 3] = np.nan
    assert Standard()(logits)["prediction"].tolist() == [-1]


def test_confidence_is_the_largest_probability(logits: np.ndarray) -> None:
    assert (confidence(logits) == softmax(logits).max(axis=1).astype(np.float32)).all()


def test_200way_by_loops(logits: np.ndarray) -> None:
    columns = Subset(classes="imagenet_a")(logits)
    subset = subset_indices()
    assert len(set(subset)) == 200
    for row, prediction, probability in zip(
        logits, columns["prediction_200way"], columns["confidence_200way"], strict=True
    ):
        best = max(subset, key=lambda k: row[k])
        among = loop_softmax([float(row[k]) for k in subset])
        assert prediction == best
        assert probability == pytest.approx(max(among), rel=1e-6)


def test_200way_ignores_a_better_class_outside() -> None:
    subset = subset_indices()
    outside = next(k for k in range(1000) if k not in subset)
    logits = np.zeros((1, 1000), np.float32)
    logits[0, outside], logits[0, subset[150]] = 50, 3
    columns = Subset(classes="imagenet_a")(logits)
    assert columns["prediction"].tolist() == [outside]
    assert columns["prediction_200way"].tolist() == [subset[150]]
    expected = math.exp(3) / (math.exp(3) + 199)
    assert columns["confidence_200way"][0] == pytest.approx(expected, rel=1e-6)


def test_200way_ties_go_to_the_lower_class_index() -> None:
    subset = subset_indices()
    columns = Subset(classes="imagenet_a")(np.zeros((1, 1000), np.float32))
    assert columns["prediction_200way"].tolist() == [min(subset)]


def test_the_frozen_name_is_the_subset_of_imagenet_a(logits: np.ndarray) -> None:
    built = build({"_target_": "oodbench.readouts.ImageNetASubset"}, "readout")
    assert type(built) is Subset
    expected = Subset(classes="imagenet_a")(logits)
    found = built(logits)
    assert list(found) == list(expected)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


FEW = ["n02123045", "n01440764", "n15075141"]  # classes 281, 0 and 999


def test_a_subset_of_a_file(tmp_path: Path, logits: np.ndarray) -> None:
    (tmp_path / "few.txt").write_text("\n".join(FEW) + "\n")
    columns = Subset(classes=str(tmp_path / "few.txt"))(logits)
    assert list(columns)[3:] == ["prediction_3way", "confidence_3way"]
    for row, prediction, probability in zip(
        logits, columns["prediction_3way"], columns["confidence_3way"], strict=True
    ):
        assert prediction == max([0, 281, 999], key=lambda k: row[k])
        among = loop_softmax([float(row[k]) for k in (0, 281, 999)])
        assert probability == pytest.approx(max(among), rel=1e-6)


def test_classes_are_counted_by_their_content(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("\n".join(FEW))
    by_file = {"_target_": "oodbench.readouts.Subset", "classes": str(file)}
    by_ids = {"_target_": "oodbench.readouts.Subset", "classes": FEW[::-1]}
    assert subset_content(str(file)) == sorted(FEW)
    assert by_content(by_file) == by_content(by_ids) == {**by_ids, "classes": sorted(FEW)}
    # printf 'n01440764 n02123045 n15075141' | sha256sum
    digest = "a2fc332a178278801ac212dd0ce4f69f6fd7cd9d5b9712824df32d1eef4edc89"
    assert by_content(by_file, checksums=True)["classes"] == f"sha256:{digest}"
    file.write_text("\n".join(class_lists()["imagenet_a"][::-1]))
    assert frozen(by_content(by_file)) == {"_target_": "oodbench.readouts.ImageNetASubset"}
    assert subset_content("imagenet_1k") == "imagenet"


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            "imagenet_b",
            r"classes=imagenet_b: neither a file nor a class list; available: imagenet, ",
        ),
        (["n01440764", "n00004475"], r"classes:2: n00004475 is none of the classes of ImageNet-1k"),
        (["n01440764", 7], r"classes:2: '7' is no synset id"),
        ([], r"classes=\[\]: has no classes"),
    ],
)
def test_wrong_classes_are_named(classes: str | list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Subset(classes=classes)


def test_a_file_of_other_classes_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "few.txt"
    file.write_text("n01440764\nn00004475\n")
    with pytest.raises(ConfigError, match=r"few\.txt:2: n00004475 is none of the classes"):
        Subset(classes=str(file))


def test_a_network_without_any_of_the_classes_is_refused(logits: np.ndarray) -> None:
    logits[:, [0, 281]] = -np.inf
    columns = Subset(classes=FEW)(logits)
    assert set(columns["prediction_3way"]) == {999}
    assert set(columns["confidence_3way"]) == {1.0}
    logits[:, 999] = -np.inf
    with pytest.raises(ConfigError, match=r"no output for any of the 3 classes") as caught:
        Subset(classes=FEW)(logits)
    assert "\n" not in str(caught.value)


def test_shipped_lists() -> None:
    lists = class_lists()
    assert {name: len(wnids) for name, wnids in lists.items()} == {
        "imagenet": 1000,
        "imagenet_1k": 1000,
        "imagenet_a": 200,
        "imagenet_o": 200,
        "imagenet_r": 200,
        "objectnet": 125,
    }
    for wnids in lists.values():
        assert wnids == sorted(set(wnids) & set(imagenet_wnids()))
    # The authors' counts: 59 classes of ImageNet-O are among those of ImageNet-A.
    assert len({*lists["imagenet_a"]} & {*lists["imagenet_o"]}) == 59


def test_both_shape_rules_by_loops(logits: np.ndarray) -> None:
    columns = ShapeCategories()(logits)
    categories = list(geirhos_categories())
    disagreements = 0
    for row, by_max, by_mean in zip(
        logits, columns["decision_max"], columns["decision_mean"], strict=True
    ):
        probabilities = loop_softmax([float(value) for value in row])
        best_logit, best_mean = {}, {}
        for category, members in geirhos_categories().items():
            best_logit[category] = max(float(row[k]) for k in members)
            best_mean[category] = math.fsum(probabilities[k] for k in members) / len(members)
        assert categories[by_max] == max(categories, key=lambda c: best_logit[c])
        assert categories[by_mean] == max(categories, key=lambda c: best_mean[c])
        disagreements += by_max != by_mean
    assert disagreements > 0, "the logits must tell the rules apart"


def test_a_large_category_loses_by_the_mean_only() -> None:
    """One of the many dogs at probability 0.5 has a lower mean than the one class `oven` at 0.1."""
    categories = geirhos_categories()
    assert len(categories["dog"]) > 100
    assert len(categories["oven"]) == 1
    logits = np.full((1, 1000), -50, np.float32)
    logits[0, categories["dog"][0]] = math.log(0.5)
    logits[0, categories["oven"][0]] = math.log(0.1)
    columns = ShapeCategories()(logits)
    assert list(categories)[columns["decision_max"][0]] == "dog"
    assert list(categories)[columns["decision_mean"][0]] == "oven"


def test_shape_ties_go_to_the_first_category() -> None:
    columns = ShapeCategories()(np.zeros((1, 1000), np.float32))
    assert columns["decision_max"].tolist() == [0]


def test_classes_outside_the_16_categories_never_decide() -> None:
    categories = geirhos_categories()
    inside = {k for members in categories.values() for k in members}
    outside = next(k for k in range(1000) if k not in inside)
    logits = np.zeros((1, 1000), np.float32)
    logits[0, outside], logits[0, categories["clock"][0]] = 9, 1
    columns = ShapeCategories()(logits)
    assert columns["prediction"].tolist() == [outside]
    assert list(categories)[columns["decision_max"][0]] == "clock"


def test_cross_entropy_is_that_of_torch(logits: np.ndarray) -> None:
    classes = np.arange(40) * 7
    wide = logits * 30  # some probabilities are below the smallest float
    wide[3, classes[3]] = -np.inf  # a class that the network has no output for
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(wide).double(), torch.from_numpy(classes), reduction="none"
    )
    found = cross_entropy(wide, classes)
    assert found == pytest.approx(expected.numpy(), rel=1e-6)
    assert (found.dtype, found[3]) == (np.float32, np.inf)
