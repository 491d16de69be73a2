"""Where a training keeps its files."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProbePaths:
    """The folder of one training: `<output root>/probe/<model>/<key>`."""

    directory: Path

    @classmethod
    def of(cls, output_root: Path, model: str, key: str) -> "ProbePaths":
        """Folder of the training with this key."""
        return cls(output_root / "probe" / model / key)

    @property
    def checkpoint(self) -> Path:
        """Everything that is needed to go on."""
        return self.directory / "checkpoint.pt"

    @property
    def log(self) -> Path:
        """One row an epoch."""
        return self.directory / "log.csv"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's events."""
        return self.directory / "tensorboard"

    @property
    def key_document(self) -> Path:
        """Everything that the key is the hash of, readable."""
        return self.directory / "key.json"

    @property
    def head(self) -> Path:
        """The classifier, where no other place is named."""
        return self.directory / "head.pth.tar"

    @property
    def features(self) -> Path:
        """Folder of features that are computed once; removed after the training."""
        return self.directory / "features"
