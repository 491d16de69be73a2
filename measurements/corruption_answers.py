"""Pictures corrupted by ours and by other people's packages, on the same random streams."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oodbench.data.corruptions.parameters import SEVERITIES, parameters, picture_stream
from oodbench.data.corruptions.registry import FUNCTIONS

Pictures = NDArray[np.uint8]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ELASTIC = "elastic_transform"
"""imagecorruptions has another algorithm of this name, corrupt-tta the published one."""


@dataclass(frozen=True)
class Peers:
    """The other environments; see corruption_peers.py.

    Attributes:
        reference: the Python that has imagecorruptions.
        tta: the Python that has corrupt-tta, or None.
        imagemagick: ImageMagick 6's `convert`, whose motion blur the published code calls, in
            place of imagecorruptions' re-make of it; None: the re-make.
    """

    reference: str
    tta: str | None = None
    imagemagick: str | None = None

    def answers_for(self, corruption: str) -> bool:
        """Whether there is a package that does what is published."""
        return corruption != ELASTIC or self.tta is not None

    def corrupted(self, pictures: Path, corruption: str) -> Pictures:
        """All severities (5, N, H, W, 3) of the pictures in a .npy file (N, H, W, 3)."""
        command = self._command(corruption)
        command += ["--pictures", str(pictures), "--corruptions", corruption]
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "made.npz"
            subprocess.run([*command, "--out", str(out)], env=os.environ | ONE_THREAD, check=True)
            with np.load(out) as made:
                found: Pictures = made[corruption]
        return found

    def _command(self, corruption: str) -> list[str]:
        script = str(Path(__file__).with_name("corruption_peers.py"))
        if corruption == ELASTIC:
            return [str(self.tta), script, "arrays", "--peer", "corrupt_tta"]
        motion = ["--imagemagick", self.imagemagick] if self.imagemagick else []
        return [self.reference, script, "arrays", *motion]


def grey_levels(ours: Pictures, theirs: Pictures) -> int:
    """The greatest difference of two values."""
    return int(np.abs(ours.astype(np.int16) - theirs).max())


def corrupted(pictures: Sequence[Pictures], corruption: str) -> Pictures:
    """The same by ours, with the bug fixed that corrupt-tta has fixed."""
    return np.stack([_of_severity(pictures, corruption, severity) for severity in SEVERITIES])


def _of_severity(pictures: Sequence[Pictures], corruption: str, severity: int) -> Pictures:
    given = parameters(corruption, severity)
    if corruption == ELASTIC:
        given["side"] = pictures[0].shape[0]
    return np.stack(
        [
            FUNCTIONS[corruption](
                picture, picture_stream(0, corruption, severity, str(index)), **given
            )
            for index, picture in enumerate(pictures)
        ]
    )
