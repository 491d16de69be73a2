"""Which of many problems are shown."""

import re
from collections.abc import Sequence
from itertools import zip_longest

from oodbench.benchmarks.inspection.finding import Problem

_DETAILS = re.compile(r":.*|\d+", re.DOTALL)


def shortened(problems: Sequence[Problem], most: int) -> list[Problem]:
    """At most so many problems, in their order: the first of every kind, then the second, ….

    Problems are of one kind whose sentences differ in nothing but numbers and what stands after a
    colon.

    Args:
        problems: of a data set.
        most: how many are shown.
    """
    by_kind: dict[str, list[int]] = {}
    for position, problem in enumerate(problems):
        by_kind.setdefault(_DETAILS.sub("", problem.said), []).append(position)
    rounds = zip_longest(*by_kind.values())
    places = [position for one in rounds for position in one if position is not None]
    return [problems[position] for position in sorted(places[:most])]
