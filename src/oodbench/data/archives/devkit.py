"""The ground truth of ImageNet's validation pictures in its development kit."""

import io
from pathlib import Path
from typing import Any

from oodbench.core.errors import DataError
from oodbench.data.archives.tar import TarSource

TRUTH = "ILSVRC2012_validation_ground_truth.txt"
META = "meta.mat"


def devkit_labels(path: Path) -> list[str]:
    """The synset id of every validation picture, in the order of their numbers.

    The ground truth holds `ILSVRC2012_ID`s, which are not the class indices of networks; the
    MATLAB table `synsets` of the same archive has the synset id of each.

    Args:
        path: of ILSVRC2012_devkit_t12.tar.gz.

    Raises:
        DataError: damaged, or not the devkit.
    """
    content = _read(path)
    wnids = _wnids(path, content[META])
    try:
        ids = [int(line) for line in content[TRUTH].split()]
        return [wnids[number] for number in ids]
    except (KeyError, ValueError):
        raise DataError(f"{path}: its {TRUTH} has something else than ids of classes") from None


def _read(path: Path) -> dict[str, bytes]:
    found = {}
    with TarSource(path, lambda piece: None).members() as members:
        for member in members:
            if member.parts[-1] in (TRUTH, META):
                found[member.parts[-1]] = member.read()
    missing = {TRUTH, META} - set(found)
    if missing:
        raise DataError(f"{path}: no {', '.join(sorted(missing))} in it: not the devkit of task 1")
    return found


def _wnids(path: Path, content: bytes) -> dict[int, str]:
    from scipy.io import loadmat  # late: it takes a while

    try:
        synsets: Any = loadmat(io.BytesIO(content), squeeze_me=True)["synsets"]
        return {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets}
    except (KeyError, ValueError, TypeError, IndexError, NotImplementedError, OSError):
        raise DataError(f"{path}: its {META} is damaged, or has no table of synsets") from None
