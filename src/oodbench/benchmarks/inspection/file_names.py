"""Names of files against those that the pictures of a data set have in its archives."""

from collections.abc import Iterable, Iterator
from posixpath import basename

from oodbench.benchmarks.inspection.wording import counted, listed
from oodbench.reference import KnownNames


def name_problems(images: Iterable[str], names: KnownNames) -> Iterator[str]:
    """Pictures of other names, whose labels cannot be compared, and pictures that are there twice.

    Without this a copy would stand in for a picture that is missing.

    Args:
        images: of the items of a split, paths.
        names: those that files have; their numbers are the pictures'.
    """
    others = []
    by_number: dict[int, list[str]] = {}
    for image in images:
        if found := names.pattern.fullmatch(basename(image)):
            by_number.setdefault(int(found[1]), []).append(image)
        else:
            others.append(image)
    if others:
        said = f"{counted(len(others), 'file')} of other names than in the archives, so that "
        yield f"{said}nothing says which class is right: {listed(sorted(others))}"
    repeated = [sorted(images) for images in by_number.values() if len(images) > 1]
    if repeated:
        named = listed([" = ".join(images) for images in sorted(repeated)])
        yield f"{counted(len(repeated), 'picture')} there more than once: {named}"
