"""Before a run computes: whether folders give pictures of ImageNet the classes that they are of."""

import hashlib
from pathlib import Path

from oodbench.benchmarks.base import Split
from oodbench.benchmarks.inspection.inspect import label_problem, of_own_files
from oodbench.benchmarks.inspection.mending import mending
from oodbench.core.cache import cache_directory, keep, kept
from oodbench.core.errors import DataError
from oodbench.core.schema import CHECK
from oodbench.data.sets.facts import DataSet, data_sets
from oodbench.runs.plan import Plan

_, OFF = CHECK


def refuse_wrong_labels(plan: Plan) -> None:
    """Compare the labels of all splits with the known list, by file name.

    That they are right is remembered for their listing, which is read again where the time of a
    folder has changed. With data.check=off, of demo data, and of a data set whose names say no
    class, nothing is compared.

    Raises:
        DataError: labels are wrong; one line that says how.
    """
    if plan.run.data.check == OFF or plan.demo:
        return
    benchmark = plan.run.benchmark
    data_set = data_sets().get(benchmark.dataset or "")
    if data_set is None or data_set.checks.names is None:
        return
    for split in of_own_files(plan.splits):
        if said := _wrong(split, data_set):
            root = Path(benchmark.root)
            mend = mending(benchmark.name, root, data_set, Path(plan.run.data.root))
            raise DataError(f"{split.root}: {said}: {mend.sort}, or set data.check=off")


def _wrong(split: Split, data_set: DataSet) -> str:
    text = "\0".join([data_set.checks.names or "", split.name, split.fingerprint])
    file = cache_directory() / "labels" / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"
    if kept(file) is not None:
        return ""
    said = label_problem(split.list_items(), data_set)
    if not said:
        keep(file, {"root": str(split.root)})
    return said
