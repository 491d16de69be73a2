"""Whether a run begins anew because its pictures are not those of a run that was begun before."""

from typing import Any

from oodbench.core.files import read_json
from oodbench.runs.key import same_document
from oodbench.runs.plan import Plan


def other_pictures(plan: Plan) -> str | None:
    """What there is to say of a run that is about to begin; None where there is nothing.

    Changed contents are named when the plan is made; here it is the list of files that differs.
    """
    paths = plan.paths
    if paths.key_document.exists() or any(files.changed for files in plan.files.values()):
        return None
    for file in sorted(paths.directory.parent.glob(f"*/{paths.key_document.name}")):
        if same_document(_with_pictures_of(plan, read_json(file)), plan.document):
            return (
                f"files were added, removed, renamed or replaced since run {file.parent.name}: "
                "other pictures make another run"
            )
    return None


def _with_pictures_of(plan: Plan, stored: Any) -> Any:
    """A document that was read, with the plan's data set in it."""
    if not isinstance(stored, dict) or not isinstance(stored.get("benchmark"), dict):
        return None
    own = plan.document["benchmark"]["dataset"]
    return {**stored, "benchmark": {**stored["benchmark"], "dataset": own}}
