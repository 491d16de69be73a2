"""What a config asks for: data, classes, weights, the key, and where a training keeps its files."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oodbench.core.errors import ConfigError, WeightsError
from oodbench.core.ids import frozen
from oodbench.core.own_code.identity import code_field, unknown_code
from oodbench.models.weights import identified
from oodbench.probe.backbone import backbone_weights
from oodbench.probe.checkpoint import head_key
from oodbench.probe.listing import ListedPictures, find_pictures, verified_pictures
from oodbench.probe.log import check_tensorboard
from oodbench.probe.schema import ProbeConfig
from oodbench.runs.key import run_key

SCHEMA = 1


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
        """Everything that is needed to resume."""
        return self.directory / "checkpoint.pt"

    @property
    def log(self) -> Path:
        """One row per epoch."""
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


@dataclass(frozen=True)
class ProbePlan:
    """A training whose data and weights are found and whose key is known.

    Attributes:
        backbone: identity of its weights.
        weights_files: those weights.
        head_file: where the classifier goes.
    """

    probe: ProbeConfig
    classes: Sequence[str]
    train: ListedPictures
    val: ListedPictures
    backbone: str
    weights_files: Sequence[Path]
    document: dict[str, Any]
    key: str
    paths: ProbePaths
    head_file: Path


def make_probe_plan(probe: ProbeConfig) -> ProbePlan:
    """Find data and weights, compute the key, and see that the result may be written.

    Raises:
        DataError: data are missing or incomplete.
        WeightsError: weights are missing, have the wrong hash or are unknown.
        ConfigError: another classifier stands where this one is to go, or the network is code
            without source.
    """
    if probe.tensorboard:
        check_tensorboard()
    classes, train, val = find_pictures(probe.data)
    trees = {"train": train, "val": val}
    trees = verified_pictures(Path(probe.output_root), probe.data.verify, trees)
    train, val = trees["train"], trees["val"]
    model, weights = probe.model, backbone_weights(probe.model.weights)
    found = identified(
        model.name, weights, Path(probe.weights.dir), download=probe.weights.download
    )
    backbone = found.identity
    if backbone is None:
        raise WeightsError(
            f"model {model.name}: its weights are unknown: set model.weights.identity=NAME"
        )
    document = _document(probe, classes, train, val, backbone)
    if modules := unknown_code(document):
        raise ConfigError(
            f"model {model.name}: no source of {modules[0]}, so the classifier could not be told "
            "from others: set code.identity=NAME"
        )
    key = run_key(document)
    paths = ProbePaths.of(Path(probe.output_root), model.name, key)
    head_file = Path(probe.head_file or model.weights.head_file or paths.head)
    _check_target(head_file, key, probe.overwrite)
    return ProbePlan(
        probe=probe,
        classes=classes,
        train=train,
        val=val,
        backbone=backbone,
        weights_files=found.files,
        document=document,
        key=key,
        paths=paths,
        head_file=head_file,
    )


def _document(
    probe: ProbeConfig,
    classes: Sequence[str],
    train: ListedPictures,
    val: ListedPictures,
    backbone: str,
) -> dict[str, Any]:
    """Everything that the classifier depends on; neither workers, processes, device nor paths."""
    recipe = asdict(probe.recipe)
    del recipe["name"]
    entry = probe.model.weights.entry
    return {
        "schema": SCHEMA,
        "model": {
            "network": frozen(probe.model.network),
            "mean": probe.model.mean,
            "std": probe.model.std,
            "weights": backbone,
            **code_field(probe.model.network, probe.code.identity),
            **({} if entry is None else {"entry": entry}),
        },
        "recipe": recipe,
        "preprocessing": asdict(probe.preprocessing),
        "data": {
            "classes": list(classes) if probe.data.classes == "folders" else probe.data.classes,
            "train": train.summary.fingerprint,
            "val": val.summary.fingerprint,
        },
        "precision": probe.precision,
        "seed": probe.seed,
    }


def _check_target(head_file: Path, key: str, overwrite: bool) -> None:
    if head_file.is_dir():
        raise ConfigError(f"{head_file}: is a folder; set head_file=PATH to a file")
    if head_file.exists() and not overwrite and head_key(head_file) != key:
        raise ConfigError(
            f"{head_file}: exists and comes from another training; set head_file=PATH, or "
            "overwrite=true to replace it"
        )
