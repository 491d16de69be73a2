"""The config of `oodbench-probe`: every key with its type and default."""

from dataclasses import dataclass, field
from math import isfinite

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from oodbench.core.checking import at_least, merged, one_of, within
from oodbench.core.errors import ConfigError
from oodbench.core.names import check_name
from oodbench.core.schema import (
    LAYOUTS,
    PRECISIONS,
    VERIFY,
    CodeConfig,
    ModelConfig,
    WeightsDirectoryConfig,
    shipped,
)
from oodbench.core.unread import model_file, refuse_unread
from oodbench.preprocessing import INTERPOLATIONS

AUGMENTATIONS = ("published", "none")
CLASSES = ("imagenet_1k", "folders")


@dataclass
class RecipeConfig:
    """How the classifier is trained: stochastic gradient descent on the mean cross entropy.

    The defaults are those of main_lincls.py, facebookresearch/moco (He et al. 2020,
    arXiv:2003.04297).
    """

    name: str = MISSING
    """Of the recipe, for tables and folders."""
    epochs: int = MISSING
    """Passes over the training pictures."""
    milestones: list[int] = field(default_factory=list)
    """Epochs (from 0) at whose start the learning rate is multiplied by `gamma`."""
    gamma: float = 0.1
    """Factor of the learning rate at each milestone."""
    lr: float = 30.0
    """Learning rate at the start."""
    momentum: float = 0.9
    """Of the gradient descent."""
    weight_decay: float = 0.0
    """L2 term of the weight matrix. The bias has none, as in scikit-learn's logistic regression;
    with the published value, 0, it makes no difference."""
    batch_size: int = 256
    """Pictures per step, over all processes together."""
    augment: str = "published"
    """published: random resized crop and flip, new in every epoch; none: the validation crop, so
    that the backbone sees every picture once."""


@dataclass
class ProbeDataConfig:
    """Where the pictures are and how they are read."""

    root: str = "data"
    """Folder of all data sets; by default OODBENCH_DATA_ROOT, else data."""
    train_root: str = MISSING
    """Folder of the training pictures, one folder a class."""
    val_root: str = MISSING
    """Folder of the validation pictures, one folder a class."""
    classes: str = "imagenet_1k"
    """imagenet_1k: folders are synset ids; folders: the sorted names of the training folders."""
    train_expected: int = MISSING
    """Official number of training pictures of imagenet_1k."""
    val_expected: int = MISSING
    """Official number of its validation pictures."""
    allow_partial: bool = False
    """Accept missing classes and fewer pictures."""
    verify: str = "times"
    """As `data.verify` of a run: times, contents or sizes."""
    workers: int | None = None
    """Processes that decode, of each training process; 0: that process itself; null: the cores of
    the machine, shared among its training processes, but at most 16 each."""


@dataclass
class ProbePreprocessingConfig:
    """From a picture to the network's input, without augmentation."""

    resize: int = MISSING
    """Pixels of the shorter side."""
    crop: int = MISSING
    """Pixels of the centred square; of the random crop too."""
    interpolation: str = "bilinear"
    """Of the resize; by default the model's."""


@dataclass
class ProbeConfig:
    """One linear classifier on one backbone."""

    model: ModelConfig = field(default_factory=ModelConfig)
    recipe: RecipeConfig = field(default_factory=RecipeConfig)
    data: ProbeDataConfig = field(default_factory=ProbeDataConfig)
    preprocessing: ProbePreprocessingConfig = field(default_factory=ProbePreprocessingConfig)
    weights: WeightsDirectoryConfig = field(default_factory=WeightsDirectoryConfig)
    code: CodeConfig = field(default_factory=CodeConfig)
    seed: int = 0
    """Source of all randomness."""
    output_root: str = "outputs"
    """Folder of trained classifiers and logs."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1; under torchrun each process uses its own GPU."""
    precision: str = "fp32"
    """Of the backbone: fp32, tf32, bf16, fp16; the classifier is trained in float32."""
    forward_batch_size: int = 64
    """Pictures that the backbone sees at once; memory and speed, not the recipe."""
    checkpoint_minutes: float = 10.0
    """Between checkpoints, besides those at the end of each epoch and on Ctrl-C."""
    tensorboard: bool = False
    """Also write TensorBoard events."""
    head_file: str | None = None
    """Where the classifier goes; null: model.weights.head_file, else the run's folder."""
    overwrite: bool = False
    """Whether to replace another classifier that is there."""


def register_probe_schema() -> None:
    """Make the schema known to Hydra under the name that probe.yaml's defaults list uses."""
    ConfigStore.instance().store(name="probe_schema", node=ProbeConfig)


def validate_probe(config: DictConfig) -> ProbeConfig:
    """The composed config as a checked ProbeConfig.

    Raises:
        ConfigError: an unknown key, a wrong type, a missing value or a value out of range.
    """
    if OmegaConf.is_missing(config.model, "name") and not config.model.network:
        raise ConfigError(f"no model: give model=NAME; available: {', '.join(shipped('model'))}")
    file = model_file(config)
    refuse_unread(config)
    probe = merged(config, ProbeConfig)
    probe.model.weights.file = probe.model.weights.file or file
    _check_values(probe)
    _check_recipe(probe.recipe)
    return probe


def _check_values(probe: ProbeConfig) -> None:
    check_name("model.name", probe.model.name)
    one_of("precision", probe.precision, PRECISIONS)
    one_of("recipe.augment", probe.recipe.augment, AUGMENTATIONS)
    one_of("data.verify", probe.data.verify, VERIFY)
    one_of("data.classes", probe.data.classes, CLASSES)
    one_of("preprocessing.interpolation", probe.preprocessing.interpolation, INTERPOLATIONS)
    one_of("model.weights.layout", probe.model.weights.layout, LAYOUTS)
    at_least("seed", probe.seed, 0)
    if probe.data.workers is not None:
        within("data.workers", probe.data.workers, 0, 1024)
    at_least("forward_batch_size", probe.forward_batch_size, 1)
    at_least("checkpoint_minutes", probe.checkpoint_minutes, 0)


def _check_recipe(recipe: RecipeConfig) -> None:
    at_least("recipe.epochs", recipe.epochs, 1)
    at_least("recipe.batch_size", recipe.batch_size, 1)
    for key in ("lr", "gamma"):
        value = getattr(recipe, key)
        if not (isfinite(value) and value > 0):
            raise ConfigError(f"recipe.{key}={value}: must be above 0")
    if not 0 <= recipe.momentum < 1:
        raise ConfigError(f"recipe.momentum={recipe.momentum}: must be in [0, 1)")
    at_least("recipe.weight_decay", recipe.weight_decay, 0)
    if recipe.milestones != sorted(set(recipe.milestones)) or min(recipe.milestones, default=1) < 1:
        raise ConfigError(f"recipe.milestones={recipe.milestones}: must be ascending, from 1 up")
