"""Class folders against the list of classes, and how many files each has."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from oodbench.benchmarks.inspection.wording import counted, listed
from oodbench.data.sets.facts import Checks
from oodbench.reference import class_lists, imagenet_wnids


def count_problems(images: Iterable[str], checks: Checks) -> Iterator[str]:
    """Class folders that are missing or none of the list, or have another number of files.

    Args:
        images: of the items of a split, paths whose last folder is a synset id. Where it is not,
            nothing can be said.
        checks: facts of the data set.
    """
    counts = Counter(image.rpartition("/")[0].rpartition("/")[2] for image in images)
    if not counts.keys() <= set(imagenet_wnids()):
        return
    wanted = set(class_lists()[checks.classes]) if checks.classes else set(counts)
    if missing := sorted(wanted - counts.keys()):
        said = counted(len(missing), "class folder")
        yield f"{said} of {len(wanted)} missing: {listed(missing)}"
    if others := sorted(counts.keys() - wanted):
        said = counted(len(others), "class folder")
        yield f"{said} of no class of the data set: {listed(others)}"
    if checks.per_class is not None:
        odd = sorted(wnid for wnid in counts if counts[wnid] != checks.per_class)
        if odd:
            yield _odd(odd, counts, checks.per_class)


def _odd(odd: Sequence[str], counts: Counter[str], per_class: int) -> str:
    named = listed([f"{wnid} has {counts[wnid]}" for wnid in odd])
    return f"{counted(len(odd), 'class folder')} without the {per_class} files of each: {named}"
