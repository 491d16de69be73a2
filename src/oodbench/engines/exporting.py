"""What the engines that run an exported model share."""

import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.core.errors import ConfigError, one_line
from oodbench.core.extras import install_extra
from oodbench.engines.base import Forward
from oodbench.engines.pooled import PooledForward
from oodbench.engines.pytorch import device_of
from oodbench.engines.store import ExportStore

_OPERATOR = re.compile(r"\b[a-z_0-9]+::\w+")
_BYTES_A_NUMBER = 4


class ExportingEngine(ABC):
    """Exports the classifier, normalisation inside, and computes single pictures, one per thread.

    Attributes:
        name: of the engine.
        libraries: packages that the exported model depends on.
    """

    computes_gradients = False

    name: str
    libraries: tuple[str, ...]

    def __init__(self, *, precision: str, cache_dir: str, model_identity: str | None) -> None:
        self.precision = precision
        self.store = ExportStore(Path(cache_dir), model_identity)

    def prepare(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        """A forward pass, see `oodbench.engines.base.Engine`.

        Raises:
            ConfigError: the classifier is not on the CPU, or does not export.
            OSError: there is no room for the exported model.
        """
        check_device(classifier, self.name)
        settings = (self.name, example.shape[1:], self.precision, torch.get_num_threads())
        label = repr((settings, self.store.model_identity))
        return kept_forward(classifier, label, lambda: self._made(classifier, example))

    def _made(self, classifier: nn.Module, example: NDArray[np.uint8]) -> PooledForward:
        folder = self.store.get(
            lambda folder: self.export(classifier, example, folder),
            libraries=self.libraries,
            facts={"height": example.shape[1], "width": example.shape[2], "format": self.name},
            size=size_of(classifier),
        )
        with exporting(classifier, self.name):
            return self.forward(folder, example)

    @abstractmethod
    def export(self, classifier: nn.Module, example: NDArray[np.uint8], folder: Path) -> None:
        """Write the classifier, for single pictures of the example's size, into the folder."""

    @abstractmethod
    def forward(self, folder: Path, example: NDArray[np.uint8]) -> PooledForward:
        """The forward pass of what was written there; keeps no reference to the classifier."""


def imported(module: str, *, engine: str, extra: str) -> Any:
    """A package of an extra.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise ConfigError(
            f"engine={engine} needs the package {module}: {install_extra(extra)}"
        ) from None


def check_device(classifier: nn.Module, engine: str) -> None:
    """Refuse a classifier that is not on the CPU.

    Raises:
        ConfigError: it is elsewhere.
    """
    device = device_of(classifier)
    if device.type != "cpu":
        raise ConfigError(
            f"engine={engine} computes on the CPU, not on {device}: set engine.device=cpu, or "
            "engine=eager"
        )


def export_example(example: NDArray[np.uint8], count: int) -> Tensor:
    """Noise of the example's size, float32 `(count, 3, H, W)` in [0, 1].

    Not the example itself: what of a network was exported as a constant, because it leaves PyTorch
    for it, would be right for the picture it was exported with, and pass the gate.
    """
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, *example.shape[1:3], generator=generator)


@contextmanager
def exporting(classifier: nn.Module, engine: str) -> Iterator[None]:
    """Errors of an export as ConfigError; without the warnings and graphs that it prints.

    Raises:
        ConfigError: the model does not export; names the operators, where they are known.
    """
    try:
        with warnings.catch_warnings(), torch.inference_mode(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    except (ConfigError, OSError):
        raise
    except Exception as error:  # each library has its own, and some raise several
        raise ConfigError(
            f"engine={engine}: {name_of(classifier)} does not export: {reason_of(error)}: "
            "use engine=eager"
        ) from error


def leaves_pytorch(classifier: nn.Module, engine: str) -> ConfigError:
    """For a network that was exported as a constant."""
    return ConfigError(
        f"engine={engine}: {name_of(classifier)} does not export: it computes outside PyTorch (in "
        "NumPy or another runtime): use engine=eager"
    )


def reason_of(error: Exception) -> str:
    """One line: the operators that the message names, or how it begins."""
    operators = list(dict.fromkeys(_OPERATOR.findall(one_line(error))))
    if operators:
        return f"operator {', '.join(operators[:3])}"
    return one_line(error, 200)


def name_of(classifier: nn.Module) -> str:
    """The model's name, for messages."""
    return str(getattr(classifier, "name", type(classifier).__name__))


def size_of(classifier: nn.Module) -> int:
    """Bytes of its weights in float32."""
    tensors: list[Tensor] = list(classifier.state_dict().values())
    return _BYTES_A_NUMBER * sum(tensor.numel() for tensor in tensors)


def kept_forward(
    classifier: nn.Module, label: str, make: Callable[[], PooledForward]
) -> PooledForward:
    """The forward pass that an earlier run has made for this classifier, or a new one.

    A sweep runs all benchmarks of a model one after the other.

    Args:
        classifier: the forward pass is kept as long as it.
        label: everything else that the forward pass depends on.
        make: must not keep a reference to the classifier, or it lasts forever.
    """
    known = _known.setdefault(classifier, {})
    if label not in known:
        known[label] = make()
    return known[label]


_known: WeakKeyDictionary[nn.Module, dict[str, PooledForward]] = WeakKeyDictionary()
