"""A table as the metadata block of Hugging Face model cards: `model-index`, in YAML.

Its fields are those of https://github.com/huggingface/hub-docs/blob/main/modelcard.md.
"""

from typing import Any

import yaml

from oodbench.metrics.score import TO_POINTS, Score
from oodbench.reports.tables.cells import marks
from oodbench.reports.tables.view import Cell, View, ViewColumn
from oodbench.runs.naming.difference import difference_text
from oodbench.runs.results import RunResult

_TASK = {"type": "image-classification", "name": "Image Classification"}


def text_of(view: View) -> str:
    """One entry a model: a result for each cell, its value in points.

    What was done otherwise than the benchmark says, and whether the run is partial or on demo data,
    stands in the name of the data set, which model cards show beside the value.
    """
    models: dict[str, list[dict[str, Any]]] = {}
    for row in view.rows:
        for column, cell in zip(view.columns, row.cells, strict=True):
            if (
                cell.run is not None
                and cell.score is not None
                and cell.score.value == cell.score.value
            ):
                models.setdefault(cell.run.model, []).append(
                    _result(column, cell.run, cell, cell.score)
                )
    content = {"model-index": [{"name": name, "results": found} for name, found in models.items()]}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{text}---\n"


def _result(column: ViewColumn, run: RunResult, cell: Cell, score: Score) -> dict[str, Any]:
    scale = TO_POINTS[score.unit]
    said = [difference_text(run.difference), *marks(run)]
    beside = ", ".join(filter(None, said))
    metric: dict[str, Any] = {
        "type": cell.metric,
        "name": f"{cell.metric} ({'percent' if scale == 100 else score.unit})",
        "value": round(score.value * scale, 4),
    }
    if score.low == score.low:
        metric["args"] = {
            "confidence_interval_95": [round(score.low * scale, 4), round(score.high * scale, 4)],
            "n": score.n,
        }
    return {
        "task": dict(_TASK),
        "dataset": {
            "type": column.benchmark,
            "name": f"{column.title} ({beside})" if beside else column.title,
        },
        "metrics": [metric],
    }
