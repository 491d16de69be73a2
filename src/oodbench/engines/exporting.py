"""What the engines that take an exported model share."""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.engines.pooled import PooledForward
from oodbench.engines.pytorch import device_of
from oodbench.errors import ConfigError

_OPERATOR = re.compile(r"\b[a-z_0-9]+::\w+")
_BYTES_A_NUMBER = 4


def imported(module: str, *, engine: str, extra: str) -> Any:
    """A package of an extra.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise ConfigError(
            f"engine={engine} needs the package {module}: pip install 'oodbench[{extra}]'"
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
    message = " ".join(str(error).split())
    operators = list(dict.fromkeys(_OPERATOR.findall(message)))
    if operators:
        return f"operator {', '.join(operators[:3])}"
    return message[:200] or type(error).__name__


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
        make: must give one that holds nothing of the classifier's, or it lasts forever.
    """
    known = _known.setdefault(classifier, {})
    if label not in known:
        known[label] = make()
    return known[label]


_known: WeakKeyDictionary[nn.Module, dict[str, PooledForward]] = WeakKeyDictionary()


def facts_of(example: NDArray[np.uint8], **others: Any) -> dict[str, Any]:
    """What an exported model depends on besides the model."""
    return {"height": example.shape[1], "width": example.shape[2], **others}
