"""Before a run computes: whether folders give pictures of ImageNet the classes that they are of."""

import hashlib
from pathlib import Path

from oodbench.benchmarks.base import Split
from oodbench.benchmarks.inspection.inspect import mend_command
from oodbench.benchmarks.inspection.labels import wrong_labels
from oodbench.core.cache import cache_directory, cached_json
from oodbench.core.errors import DataError
from oodbench.core.schema import CHECK
from oodbench.data.sets.facts import data_sets
from oodbench.runs.plan import Plan

LABELS, OFF = CHECK


def refuse_wrong_labels(plan: Plan) -> None:
    """Compare the labels of all splits with the known list, by file name.

    The verdict is remembered for the listing that it is of. With data.check=off, and of demo data,
    nothing is compared.

    Raises:
        DataError: labels are wrong; one line that says how.
    """
    if plan.run.data.check == OFF or plan.demo:
        return
    benchmark = plan.run.benchmark
    for split in plan.splits:
        if said := _wrong(split, benchmark.name):
            mend = mend_command(
                benchmark.name,
                data_sets().get(benchmark.dataset or ""),
                Path(plan.run.data.root),
            )
            raise DataError(f"{split.root}: {said}: {mend}, or set data.check=off")


def _wrong(split: Split, benchmark: str) -> str:
    text = "\0".join([benchmark, split.name, split.fingerprint])
    file = cache_directory() / "labels" / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"
    found = cached_json(file, lambda: {"wrong": wrong_labels(split.list_items())})
    return str(found["wrong"])
