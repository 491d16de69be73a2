"""Corruptions without a normaliser: trees, what is missing, and the mean error by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oodbench.benchmarks.corruption_trees import CorruptionTrees
from oodbench.core.errors import ConfigError, DataError

Make = Callable[..., Path]
TENCH = "n01440764"


def benchmark(root: Path, corruptions: tuple[str, ...] = ("sparkles", "fog_3d")) -> CorruptionTrees:
    return CorruptionTrees(root=str(root), n_expected=50000, corruptions=corruptions)


def test_trees_directly_and_in_folders_of_archives(tmp_path: Path, make_picture: Make) -> None:
    make_picture(tmp_path / "sparkles" / "1" / TENCH / "a.JPEG")
    make_picture(tmp_path / "archive" / "fog_3d" / "5" / TENCH / "a.JPEG")
    splits = benchmark(tmp_path).splits()
    assert [split.name for split in splits] == ["sparkles/1", "fog_3d/5"]
    assert {(split.n_expected, split.n_items, split.official) for split in splits} == {
        (50000, 1, True)
    }
    missing = benchmark(tmp_path).missing_splits()
    assert len(missing) == 8
    assert {"sparkles/2", "fog_3d/1"} <= set(missing)


def test_a_tree_without_any(tmp_path: Path) -> None:
    (tmp_path / "fog" / "1").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no corruption; looked for sparkles/1 .* found: fog"):
        benchmark(tmp_path).splits()


def test_no_name_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name at least one folder"):
        benchmark(tmp_path, ())


def records(wrong: list[bool]) -> pd.DataFrame:
    n = len(wrong)
    return pd.DataFrame(
        {
            "image": [f"x/{TENCH}/{k}.JPEG" for k in range(n)],
            "label": np.zeros(n, int),
            "prediction": np.array(wrong, int),
            "top5": [[int(w), 5, 6, 7, 8] for w in wrong],
        }
    )


def test_mean_errors_by_hand(tmp_path: Path) -> None:
    """Errors 1/4 in all cells of one corruption, 3/4 in all of the other, 1/2 in the mean."""
    cells = [
        (f"{name}/{severity}", records(wrong))
        for name, wrong in (
            ("sparkles", [True, False, False, False]),
            ("fog_3d", [True, True, True, False]),
        )
        for severity in range(1, 6)
    ]
    found = benchmark(tmp_path).score(cells)
    assert found[""]["mean_error"].value == pytest.approx(1 / 2)
    assert found["sparkles"]["mean_error"].value == pytest.approx(1 / 4)
    assert found["fog_3d"]["mean_error"].value == pytest.approx(3 / 4)
    assert found["fog_3d/3"]["error"].value == 3 / 4
    assert found[""]["mean_error"].higher_is_better is False


def test_no_mean_while_a_cell_is_missing(tmp_path: Path) -> None:
    found = benchmark(tmp_path).score([("sparkles/1", records([True, False]))])
    assert np.isnan(found[""]["mean_error"].value)
    assert found[""]["mean_error"].note.startswith("9 of the 10 test cells")
    assert "sparkles" not in found
