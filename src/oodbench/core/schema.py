"""The shell of the config: every key that oodbench itself reads, with its type and default.

Constructor arguments are under nodes with `_target_`, which are free here and checked against the
constructor's signature before it is called (`oodbench.core.building`).
"""

import re
from dataclasses import dataclass, field
from importlib.resources import files
from operator import attrgetter
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from oodbench.core.budget import parse_budget
from oodbench.core.checking import check_normalisation, merged, one_of, within
from oodbench.core.errors import ConfigError
from oodbench.core.names import check_name
from oodbench.core.unread import model_file, refuse_arguments_of_no_attack, refuse_unread

DEFAULT_FAMILY = "default"
FAMILIES = (DEFAULT_FAMILY, "tf_efficientnet")
VERIFY = ("times", "contents", "sizes")
CHECK = ("labels", "off")
ON_FAILURE = ("continue", "stop")
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
_FRACTION = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)")
LAYOUTS = ("plain", "positional", "moco_v2", "timm", "transformers", "open_clip", "onnx")


@dataclass
class WeightsConfig:
    """Where a model's weights are and how they are checked."""

    file: str | None = None
    """Path of the weights file; takes precedence over every other source. One of several shards, or
    their index, stands for all of them."""
    entry: str | None = None
    """Which entry of the file holds the weights, where it has several sets: keys joined by dots."""
    url: str | None = None
    """Where to download the file; its last part is the file name to look for."""
    hash: str | None = None
    """`sha256:<hex>` or `md5:<hex>`, whole or a prefix."""
    license: str | None = None
    """Licence of the weights, for the lists of `oodbench-models`."""
    package: str | None = None
    """`module:callable` of an installed package that returns the path."""
    hub: str | None = None
    """Hugging Face repository that holds `hub_file`."""
    hub_file: str = "model.safetensors"
    """Name of the weights file in the repository."""
    layout: str = "plain"
    """plain; positional (tensors matched by order); moco_v2; timm, transformers and open_clip (the
    library reads its own files); onnx (the file is the network)."""
    head_file: str | None = None
    """MoCo v2: file of the linear classifier."""
    head_hash: str | None = None
    """Hash of that file, as `hash`."""
    identity: str | None = None
    """Name that the user vouches for, for a network that has no weights file."""
    random_seed: int | None = None
    """Random weights from this seed, for tests."""


@dataclass
class ModelConfig:
    """A classifier of the 1000 ImageNet classes."""

    name: str = MISSING
    """Names the folder of the runs and the row of the table."""
    family: str = DEFAULT_FAMILY
    """Which published preprocessing applies: default or tf_efficientnet."""
    input_size: int = 224
    """Side of the native input, in pixels."""
    crop_pct: float = 0.875
    """Share of the resized picture that `preprocessing=timm` keeps."""
    interpolation: str = "bilinear"
    """Of the resize in `preprocessing=timm`: nearest, bilinear, bicubic, lanczos or box."""
    resize_mode: str = "shortest"
    """In `preprocessing=timm`: shortest (the short side is resized, then the centre cropped) or
    squash (both sides, whatever the aspect ratio)."""
    mean: list[float] = field(default_factory=lambda: [0.485, 0.456, 0.406])
    """Subtracted from pixels in [0, 1], one number a channel."""
    std: list[float] = field(default_factory=lambda: [0.229, 0.224, 0.225])
    """What is left is divided by these."""
    parameters: float | None = None
    """Millions of parameters, checked after building."""
    classes: str = "imagenet_1k"
    """What the network's outputs stand for: a name of `oodbench.models.class_lists`, or a file of
    synset ids, one per output."""
    outputs: str = "logits"
    """logits, or probabilities where the network ends in a softmax."""
    allow_unstable: bool = False
    """Accept a network whose outputs depend on chance or on the batch; the result is marked."""
    timm_name: str | None = None
    """Name in timm, of `model=timm`."""
    arch: str | None = None
    """Architecture in timm, of `model=checkpoint`; in open_clip, of `model=open_clip`."""
    pretrained: str | None = None
    """Tag of the weights in open_clip, of `model=open_clip`."""
    prompts: str | None = None
    """Sentences that a zero-shot model is given for each class: a shipped list (imagenet_80, plain)
    or a file with one template a line, `{c}` standing for the class."""
    class_names: str | None = None
    """Names of the classes in these sentences: a shipped list (clip) or a file of 1000 lines."""
    repository: str | None = None
    """Hugging Face repository or folder of `model=transformers`."""
    trained_on: str | None = None
    """What the model has seen beyond ImageNet-1k, in a few words, where that makes a comparison
    unfair; it stands below the tables and changes nothing else."""
    generic: str | None = None
    """The shipped entry that makes a model of what its user names, where it is such a one."""
    network: dict[str, Any] = field(default_factory=dict)
    """Class or function that gives the network, and its arguments."""
    weights: WeightsConfig = field(default_factory=WeightsConfig)


@dataclass
class PipelineConfig:
    """Fields of `oodbench.preprocessing.Preprocessing`, in the order in which they apply."""

    square_crop: bool = False
    resize: Any = None
    crop: int | None = None
    resize_after_crop: int | None = None
    interpolation: str = "bilinear"
    extension: bool = False
    """The published run did not evaluate this family on this benchmark."""


@dataclass
class ColumnMetric:
    """A metric that a benchmark's column of the table may show."""

    name: str = ""
    """Short name where the column may show several; "": the metric's own."""
    caption: str = ""
    """What the caption of the table says that the column is; "": nothing."""


@dataclass
class ColumnConfig:
    """How a benchmark appears in tables and figures: none of it changes a number or the run key."""

    title: str = ""
    """Of the column; "": the benchmark's name."""
    order: int | None = None
    """Place among the columns; those of the shipped benchmarks that have one always appear."""
    metrics: dict[str, ColumnMetric] = field(default_factory=dict)
    """By name, the preferred one first; a cell shows the first that its run has. Empty: the
    headline."""
    lower_is_better: bool = False
    """Whether a lower value is the better one."""
    parts: dict[str, str] = field(default_factory=dict)
    """Scores of the benchmark's parts, such as corruptions, and what figures call them; the first
    that a run has is shown. Empty: none."""
    standard: str = ""
    """Benchmark of the same classes without the shift, which figures of effective robustness set
    accuracy against; "": no such figure."""
    baselines: str = ""
    """Column of the accuracies of public models (`oodbench.reference.baselines`) on the same
    pictures; "": none."""
    no_fit: str = ""
    """Why figures of effective robustness show no fit; "": they do."""


@dataclass
class BenchmarkConfig:
    """What is measured."""

    name: str = MISSING
    """Names the folder of the runs and the column of the table."""
    official_name: str | None = None
    """Name that is kept for the official files: what `oodbench-data` generated is refused under it.
    """
    version: int = 1
    """Raised when records of the same data would differ."""
    dataset: str | None = None
    """Data set of `oodbench.data.sets` that the pictures are of; null: none that ships."""
    root: str = MISSING
    """Folder of the pictures or clips."""
    attack: str = "none"
    """Name of the attack that belongs to the benchmark."""
    chunk_size: int = 512
    """Items a Parquet file; what a kill can lose at most."""
    column: ColumnConfig = field(default_factory=ColumnConfig)
    """How it appears in tables and figures."""
    published_preprocessing: dict[str, PipelineConfig] = field(default_factory=dict)
    """What the published run did, by `model.family`; `default` for all that have none."""
    protocol: dict[str, Any] = field(default_factory=dict)
    """Class that reads the data and scores the records, and its arguments."""

    def published(self, family: str) -> PipelineConfig | None:
        """What the published run did for a family, as for `default` where it has none of its own;
        None where that is unknown."""
        pipelines = self.published_preprocessing
        return pipelines.get(family, pipelines.get(DEFAULT_FAMILY))

    @property
    def is_official(self) -> bool:
        """Whether the pictures are the official files, so that any two runs show the same ones."""
        return self.name == self.official_name


@dataclass
class EngineConfig:
    """How a forward pass is computed; nothing here is part of the run key but precision."""

    name: str = MISSING
    """Of the engine, for messages and run.json."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""
    precision: str = "fp32"
    """fp32, or with an engine that can: tf32, bf16, fp16. Part of the run key."""
    batch_size: int | None = None
    """null: whatever is fastest for the engine and the device."""
    threads: int | None = None
    """Threads of the network on the CPU; null: one per physical core."""
    tolerance: float = 1e-3
    """Largest difference of a logit from the eager engine's that the parity gate lets through."""
    cache_dir: str = ".cache/engines"
    """Folder of exported models."""
    backend: dict[str, Any] = field(default_factory=dict)
    """Class that computes, and its arguments."""
    when_attacked: dict[str, str] = field(default_factory=dict)
    """Class of a backend -> class that computes in its place where pictures are attacked."""


@dataclass
class ContainerConfig:
    """What is what in a data set of Hugging Face, in tar shards or in a list of pictures, where it
    is not clear by itself. The names and labels that are found count in the run key, not these
    keys."""

    image: str | None = None
    """Column of the pictures; in tar shards the ending of their files."""
    label: str | None = None
    """Column of the labels; in tar shards a field of the JSON."""
    path: str | None = None
    """Column of the names; in tar shards a field of the JSON."""
    classes: str | None = None
    """List whose positions the labels are: imagenet, imagenet_a or another shipped list, or a file
    of synset ids in the order of the labels."""


@dataclass
class DataConfig:
    """Where pictures are and how they are read."""

    root: str = "data"
    """Folder of all data sets; by default OODBENCH_DATA_ROOT, else data."""
    allow_partial: bool = False
    """Accept fewer pictures than the official count; the cell is marked."""
    on_error: str = "stop"
    """What to do about a picture that cannot be read: stop, or skip (counted and listed)."""
    max_skipped: float = 0.01
    """Share of the run's items, rounded up, that `skip` may leave out; beyond it the run stops."""
    deep_pictures: str = "clip"
    """Pictures of more than 8 bits a channel: clip (values above 255 are cut off, as torchvision
    does) or scale (to 8 bits; the result is marked)."""
    verify: str = "times"
    """Whether pictures still hold what they held when they were first decoded: times (those whose
    time has changed are read again; of more than 100,000 files, 1 % are looked at), contents (all
    are read) or sizes (nothing is looked at; the result is marked)."""
    check: str = "labels"
    """Before a run computes something: labels (the classes that folders give to validation pictures
    are compared with the known list, by file name) or off (the result is marked)."""
    workers: int | None = None
    """Threads or processes that decode; null: one for each core that the process may use."""
    loader: str = "auto"
    """What decodes: threads, processes, or auto: processes where there are many pictures and
    cores."""
    resizing: str = "auto"
    """What resizes: workers (by Pillow), device (which computes the network; the same pixels, where
    it can), or auto: a CUDA device, for runs that wait for their workers."""
    cache: str = "off"
    """Keep decoded pictures: off, memory (of this process), disk (below `cache_dir`)."""
    cache_dir: str = ".cache/pictures"
    """Folder of the cache on disk."""
    cache_gib: float = 20.0
    """Most that the cache may take, GiB; what was used longest ago is removed first."""
    container: ContainerConfig = field(default_factory=ContainerConfig)
    """What is what where pictures are not in folders."""


@dataclass
class WeightsDirectoryConfig:
    """Where weights are looked for and saved."""

    dir: str = MISSING
    """Folder of weights files; by default OODBENCH_WEIGHTS, else weights."""
    file: str | None = None
    """Weights file of the model, whichever it is: short for `model.weights.file`."""
    download: bool = True
    """Whether to download weights that are missing."""


@dataclass
class ShardConfig:
    """This job's part of the run's chunks: those whose number is `index` modulo `count`."""

    index: int = 0
    """Which part, from 0."""
    count: int = 1
    """How many parts."""


@dataclass
class CodeConfig:
    """The user's own code that a config names."""

    identity: str | None = None
    """Name that the user vouches for, in the place of what their source files hold."""


@dataclass
class RunConfig:
    """One cell of the table."""

    model: ModelConfig = field(default_factory=ModelConfig)
    attack: dict[str, Any] = field(default_factory=dict)
    """What is done to the pictures before they are classified."""
    benchmark: BenchmarkConfig = field(default_factory=BenchmarkConfig)
    preprocessing: dict[str, Any] = field(default_factory=dict)
    """From a picture to the pixels that the model sees."""
    engine: EngineConfig = field(default_factory=EngineConfig)
    logger: dict[str, Any] = field(default_factory=dict)
    """Where each run is logged to when it ends, beside its own files; never part of the run key."""
    data: DataConfig = field(default_factory=DataConfig)
    weights: WeightsDirectoryConfig = field(default_factory=WeightsDirectoryConfig)
    shard: ShardConfig = field(default_factory=ShardConfig)
    code: CodeConfig = field(default_factory=CodeConfig)
    seed: int = 0
    """Source of all randomness, with each picture's name."""
    limit: int | None = None
    """First pictures (clips) of every split, in the class-stratified order; null: all."""
    budget: Any = None
    """As `limit`, as a part of every split (`2%`, rounded up) or a number of pictures (clips) of
    every split (5000); with both the smaller one counts. See `oodbench.core.budget`."""
    output_root: str = "outputs"
    """Folder of runs, tables and logs."""
    on_failure: str = "continue"
    """Whether the other jobs of a sweep go on when one fails (`continue`), or those that have not
    begun are left (`stop`)."""


def register_schema() -> None:
    """Make the schema known to Hydra under the name that config.yaml's defaults list uses."""
    ConfigStore.instance().store(name="schema", node=RunConfig)


def validate(config: DictConfig) -> RunConfig:
    """The composed config as a checked RunConfig.

    Raises:
        ConfigError: an unknown key, a wrong type, a missing value or a value out of range.
    """
    if OmegaConf.is_missing(config.model, "name") and not config.model.network:
        raise ConfigError(f"no model: give model=NAME; available: {', '.join(shipped('model'))}")
    # Before anything is resolved: the published preprocessing is looked up by the family.
    one_of("model.family", str(config.model.family), FAMILIES)
    file = model_file(config)
    refuse_unread(config)
    run = merged(config, RunConfig)
    run.model.weights.file = run.model.weights.file or file
    run.attack = with_fractions(run.attack)
    _check_values(run)
    return run


def with_fractions(value: Any) -> Any:
    """A node in which text such as `8/255` is the number, as eps is usually written.

    Raises:
        ConfigError: a denominator is 0.
    """
    if isinstance(value, dict):
        return {name: with_fractions(item) for name, item in value.items()}
    found = _FRACTION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    numerator, denominator = map(float, found.groups())
    if denominator == 0:
        raise ConfigError(f"attack: {value}: divides by 0")
    return numerator / denominator


def source_model(attack: dict[str, Any]) -> ModelConfig | None:
    """The second model of an attack that is made on another one, None for other attacks.

    Args:
        attack: the `attack` node of the config.

    Raises:
        ConfigError: the model has an unknown key or a wrong type, or no network.
    """
    node = attack.get("source")
    if not isinstance(node, dict):
        return None
    if not node.get("network"):
        raise ConfigError(
            "attack.source.network is missing: name a model, model@attack.source=NAME"
        )
    source = merged(OmegaConf.create(node), ModelConfig)
    one_of("attack.source.weights.layout", source.weights.layout, LAYOUTS)
    one_of("attack.source.outputs", source.outputs, ("logits", "probabilities"))
    check_normalisation("attack.source.", source.mean, source.std)
    return source


def _check_url(url: str | None) -> None:
    if url is not None and not url.startswith(("https://", "http://", "file://", "ftp://")):
        raise ConfigError(f"model.weights.url={url}: must begin with https:// or http://")


def shipped(group: str) -> list[str]:
    """Names of the configs of a group that come with oodbench."""
    folder = files("oodbench.conf").joinpath(group)
    names = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


_RANGES = {
    "benchmark.chunk_size": (1, 10**9),
    "data.cache_gib": (0, 10**6),
    "data.max_skipped": (0, 1),
    "data.workers": (1, 1024),
    "engine.batch_size": (1, 2**20),
    "engine.threads": (1, 1024),
    "engine.tolerance": (0, 10**9),
    "limit": (1, 10**12),
    "model.crop_pct": (0.01, 100),
    "model.input_size": (1, 20_000),
    "model.weights.random_seed": (0, 2**63 - 1),
    "seed": (0, 2**63 - 1),
    "shard.count": (1, 10**6),
}
"""Smallest and largest value of a number, where it is given: beyond them libraries crash."""


def _check_values(run: RunConfig) -> None:
    one_of("on_failure", run.on_failure, ON_FAILURE)
    one_of("data.on_error", run.data.on_error, ("stop", "skip"))
    one_of("data.deep_pictures", run.data.deep_pictures, ("clip", "scale"))
    one_of("data.verify", run.data.verify, VERIFY)
    one_of("data.check", run.data.check, CHECK)
    one_of("engine.precision", run.engine.precision, PRECISIONS)
    one_of("data.cache", run.data.cache, ("off", "memory", "disk"))
    one_of("data.loader", run.data.loader, ("auto", "threads", "processes"))
    one_of("data.resizing", run.data.resizing, ("auto", "workers", "device"))
    one_of("model.weights.layout", run.model.weights.layout, LAYOUTS)
    one_of("model.outputs", run.model.outputs, ("logits", "probabilities"))
    for key, (least, most) in _RANGES.items():
        if (value := attrgetter(key)(run)) is not None:
            within(key, value, least, most)
    _check_url(run.model.weights.url)
    check_normalisation("model.", run.model.mean, run.model.std)
    source_model(run.attack)
    parse_budget(run.budget)
    if not 0 <= run.shard.index < run.shard.count:
        raise ConfigError(f"shard.index={run.shard.index}: must be 0..{run.shard.count - 1}")
    for name in ("name", "_target_"):
        if name not in run.preprocessing:
            raise ConfigError(f"preprocessing.{name} is missing")
    if "name" not in run.logger:
        raise ConfigError("logger.name is missing")
    if "name" not in run.attack:
        raise ConfigError("attack.name is missing")
    refuse_arguments_of_no_attack(run.attack)
    check_name("model.name", run.model.name)
    check_name("benchmark.name", run.benchmark.name)
    check_name("preprocessing.name", run.preprocessing["name"])
    check_name("attack.name", run.attack["name"])
