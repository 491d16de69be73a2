"""ImageNet-P made while loading: the perturbations applied to the clean validation pictures."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from PIL import Image

from oodbench.benchmarks.base import Split
from oodbench.benchmarks.folder import tree_below
from oodbench.benchmarks.generated_source import generated_splits
from oodbench.benchmarks.trees import ImageNetP
from oodbench.data.clips import decode_clip
from oodbench.data.corruptions.parameters import stream_name
from oodbench.data.perturbations.parameters import checked_name, parameters_hash
from oodbench.metrics.perturbation import TEST_PERTURBATIONS


class ImageNetPGenerated(ImageNetP):
    """The perturbations of ImageNet-P, made from clean pictures without writing files.

    Scored as ImageNet-P is, under a name of its own: the random draws are not the official ones.
    With `encode` the frames are those of the clips that `oodbench-data perturb` writes with the
    same seed; without it loading takes a tenth of the time or less, and frames differ by one grey
    level or two from those, with noise by four.

    Args:
        root: folder of the class folders with clean pictures, or one of `inside` that holds them.
        n_expected: official number of clean pictures.
        perturbations: names, of the ten test perturbations and the four others.
        seed: with a picture's name and perturbation, the source of all randomness.
        encode: send the frames through an H.264 clip, as was done for the published ones.
        inside: folders below root where archives put the class folders.

    Raises:
        ConfigError: an unknown perturbation.
    """

    def __init__(
        self,
        *,
        root: str,
        n_expected: int,
        perturbations: Sequence[str] = TEST_PERTURBATIONS,
        seed: int = 0,
        encode: bool = True,
        inside: Sequence[str] = (),
    ) -> None:
        super().__init__(root=root, n_expected=n_expected)
        self.perturbations = [checked_name(name) for name in perturbations]
        self.seed = seed
        self.encode = encode
        self.source = tree_below(self.root, inside)

    def splits(self) -> Sequence[Split]:
        """Every perturbation that is asked for.

        Raises:
            DataError: the clean pictures are missing, or not in synset folders.
        """
        return generated_splits(
            *(self.source, self.perturbations, self.n_expected),
            parameters_hash(),
            TEST_PERTURBATIONS,
        )

    def missing_splits(self) -> Sequence[str]:
        """Test perturbations that are not asked for."""
        return [name for name in TEST_PERTURBATIONS if name not in self.perturbations]

    def file_of(self, path: Path) -> Path:
        """The clean picture that a clip is made from; `path` as for `load`."""
        wnid, name = PurePosixPath(path.relative_to(self.source)).parts[1:]
        return self.source / wnid / name

    def load(self, path: Path) -> list[Image.Image]:
        """The frames, RGB 224x224.

        Args:
            path: `<source>/<perturbation>/<wnid>/<file>`, of which the folder in the middle is on
                no disk.

        Raises:
            DataError: the clean picture cannot be read, by name.
            ConfigError: OpenCV is not installed.
        """
        from oodbench.data.perturbations.files import clip_file, clip_frames, whole_picture

        perturbation, wnid, file = PurePosixPath(path.relative_to(self.source)).parts
        clip = whole_picture(self.file_of(path)), perturbation, self.seed
        name = stream_name(wnid, file)
        frames = decode_clip(clip_file(*clip, name)) if self.encode else clip_frames(*clip, name)
        return [Image.fromarray(frame) for frame in frames]
