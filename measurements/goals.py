"""A measured figure beside its goal, as a row of a measurement."""

from typing import Any


def goal_row(work: str, ours: float, goal: float, unit: str, agree: bool) -> dict[str, Any]:
    """`theirs` is the goal, `agree` whether the output was right."""
    return {
        "work": work,
        "ours": ours,
        "theirs": goal,
        "unit": unit,
        "ratio": ours / goal,
        "agree": agree,
    }
