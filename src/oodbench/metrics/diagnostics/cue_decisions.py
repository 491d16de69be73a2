"""What cue-conflict stimuli were taken for, one by one and by category (Geirhos et al. 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodbench.reference import geirhos_categories

_DIGITS = "0123456789abcdef"


@dataclass(frozen=True)
class CueCounts:
    """Stimuli of one shape category.

    Attributes:
        shape, texture: how many were called by their shape, by their texture.
        n: stimuli.
    """

    shape: int
    texture: int
    n: int

    @property
    def shape_bias(self) -> float | None:
        """Share of shape among the decisions for either cue; None without such a decision."""
        decisions = self.shape + self.texture
        return self.shape / decisions if decisions else None


@dataclass(frozen=True)
class CueDecisions:
    """Decisions among the 16 alphabetical categories by the published rule, `decision_max`.

    Attributes:
        stimulus: file names.
        decision, shape, texture: of each stimulus, the index of a category as a hexadecimal digit.
        counts: by shape category that occurs, of the published set of stimuli.
    """

    stimulus: list[str]
    decision: str
    shape: str
    texture: str
    counts: Mapping[str, CueCounts]

    def right(self) -> dict[str, bool]:
        """Whether each stimulus with a conflict was called by its shape."""
        return {
            name: decided == shape
            for name, decided, shape, texture in zip(
                self.stimulus, self.decision, self.shape, self.texture, strict=True
            )
            if shape != texture
        }


def cue_decisions(records: pd.DataFrame) -> CueDecisions:
    """The decisions of a run.

    Args:
        records: rows with `image`, `shape` and `texture` (category names), `published_set` and
            `decision_max`.
    """
    categories = list(geirhos_categories())
    index = {category: number for number, category in enumerate(categories)}
    shape, texture = (
        records[name].map(index).to_numpy(dtype=np.int64) for name in ("shape", "texture")
    )
    decision = records["decision_max"].to_numpy().astype(np.int64)
    published = records["published_set"].to_numpy(dtype=bool)
    counts = {}
    for number, category in enumerate(categories):
        of = published & (shape == number)
        if (shape == number).any():
            counts[category] = CueCounts(
                int((of & (decision == shape)).sum()),
                int((of & (decision == texture)).sum()),
                int(of.sum()),
            )
    return CueDecisions(
        [str(image).rsplit("/", 1)[-1] for image in records["image"]],
        _digits(decision),
        _digits(shape),
        _digits(texture),
        counts,
    )


def _digits(numbers: NDArray[np.integer]) -> str:
    return "".join(_DIGITS[number] for number in numbers)
