"""The fastest engine that gives the eager engine's answers here."""

import logging
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from torch import nn

from oodbench.core.errors import ConfigError
from oodbench.engines.base import Forward
from oodbench.engines.eager import EagerEngine
from oodbench.engines.openvino import OpenVINOEngine
from oodbench.engines.parity import gate
from oodbench.engines.pytorch import device_of

log = logging.getLogger(__name__)


class AutoEngine:
    """On the CPU OpenVINO where it is installed, the model exports and the gate lets it through.

    Everywhere else PyTorch as it is: torch.compile takes longer to compile than most runs take.

    Args:
        precision: fp32; the others are computed by PyTorch.
        tolerance: of the gate, in logits.
        cache_dir, model_identity: of exported models, see `oodbench.engines.store.ExportStore`.
    """

    computes_gradients = False
    needs_gate = False

    def __init__(
        self,
        *,
        precision: str = "fp32",
        tolerance: float = 1e-3,
        cache_dir: str = ".cache/engines",
        model_identity: str | None = None,
    ) -> None:
        self.precision = precision
        self.tolerance = tolerance
        self.cache_dir = cache_dir
        self.model_identity = model_identity

    def prepare(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        """A forward pass, see `oodbench.engines.base.Engine`; its note says why it is eager."""
        reason = ""
        if self._openvino_fits(classifier):
            try:
                return self._openvino(classifier, example)
            except (ConfigError, OSError) as error:
                reason = f"engine=auto used eager: {error}"
                log.warning("%s", reason)
        forward = EagerEngine(precision=self.precision).prepare(classifier, example)
        forward.note = reason
        return forward

    def _openvino_fits(self, classifier: nn.Module) -> bool:
        if device_of(classifier).type != "cpu" or self.precision != "fp32":
            return False
        if find_spec("openvino") is None:
            log.info("engine=auto: faster with OpenVINO: pip install 'oodbench[openvino]'")
            return False
        return True

    def _openvino(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        engine = OpenVINOEngine(cache_dir=self.cache_dir, model_identity=self.model_identity)
        forward = engine.prepare(classifier, example)
        gate(forward, classifier, example, tolerance=self.tolerance)
        return forward
