"""Below the table: which models have seen more than ImageNet-1k, so that they compare unfairly."""

from collections.abc import Iterable

from oodbench.runs.results import RunResult


def trained_on_sentence(results: Iterable[RunResult]) -> list[str]:
    """One sentence, grouped by what the models have seen; none where no config says so.

    Of several runs of a model the newest speaks for it.
    """
    newest = sorted(results, key=lambda result: (result.modified, result.key))
    said = {result.model: result.trained_on for result in newest}
    models: dict[str, list[str]] = {}
    for model, data in sorted(said.items()):
        if data:
            models.setdefault(data, []).append(model)
    if not models:
        return []
    groups = "; ".join(f"{data} ({', '.join(names)})" for data, names in sorted(models.items()))
    return [f"Trained on more than ImageNet-1k: {groups}."]
