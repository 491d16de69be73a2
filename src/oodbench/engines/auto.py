"""The fastest engine that gives the eager engine's answers here."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from torch import nn

from oodbench.core.errors import ConfigError
from oodbench.core.extras import install_extra
from oodbench.engines import compiled, eager
from oodbench.engines.base import Forward
from oodbench.engines.compiled import CompiledEngine
from oodbench.engines.cuda_graphs import CudaGraphsEngine
from oodbench.engines.eager import EagerEngine
from oodbench.engines.extent import Extent
from oodbench.engines.openvino import OpenVINOEngine
from oodbench.engines.parity import gate
from oodbench.engines.pytorch import device_of
from oodbench.engines.timing import seconds_a_picture
from oodbench.models.device_memory import is_out_of_memory

log = logging.getLogger(__name__)

FEW_BATCHES = 8
"""A run on CUDA of fewer is over before graphs are captured."""

COMPILING = 30.0
"""Seconds, on CUDA: 20 for ResNet-50 and 23 for EfficientNet-B0, beside an H100 on 16 cores."""

GAIN = 0.4
"""Share of the time of a pass on CUDA that compiling may save: it was that of ResNet-50 in tf32,
while EfficientNet-B0 in fp16 took a tenth longer (H100)."""


@contextmanager
def _optional() -> Iterator[None]:
    """What fails for want of memory, or of a compiler, is done without, and a line says so."""
    try:
        yield
    except (ConfigError, RuntimeError) as error:
        if not isinstance(error, ConfigError) and not is_out_of_memory(error):
            raise
        log.info("engine=auto does without compiling: %s", error)


class AutoEngine:
    """On the CPU OpenVINO where it is installed, the model exports and the gate lets it through.

    On CUDA the network as CUDA graphs, and compiled where the run is so long that compiling pays
    and compiled passes are faster here. Everywhere else PyTorch as it is: on a CPU torch.compile
    takes longer to compile than most runs take.

    Args:
        precision: fp32, or on CUDA or with PyTorch tf32, bf16, fp16.
        tolerance: of the gate, in logits.
        cache_dir, model_identity: of exported models, see `oodbench.engines.store.ExportStore`.
        batch_size, n_left, n_pictures, kept_engine: see `oodbench.engines.extent`; where the first
            two are not known, nothing is compiled.
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
        batch_size: int | None = None,
        n_left: int | None = None,
        n_pictures: int | None = None,
        kept_engine: str | None = None,
    ) -> None:
        self.precision = precision
        self.tolerance = tolerance
        self.cache_dir = cache_dir
        self.model_identity = model_identity
        self.extent = Extent(batch_size, n_left, n_pictures, kept_engine)

    def prepare(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        """A forward pass, see `oodbench.engines.base.Engine`; its note says why it is eager."""
        if device_of(classifier).type == "cuda":
            return self._on_cuda(classifier, example)
        reason = ""
        if self._openvino_fits(classifier):
            try:
                return self._openvino(classifier, example)
            except (ConfigError, OSError) as error:
                reason = f"engine=auto used eager: {error}"
                log.warning("%s", reason)
        return self._eager(classifier, example, reason)

    def _on_cuda(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        kept = self.extent.kept_engine
        if kept == eager.NAME or (kept is None and self._is_short()):
            return self._eager(classifier, example)
        if kept == compiled.NAME:
            with _optional():
                return self._compiled(classifier, example)
        graphs = self._graphs(classifier, example)
        if kept is not None or self.extent.batch_size is None:
            return graphs
        return self._compiled_if_it_pays(graphs, classifier, example, self.extent.batch_size)

    def _graphs(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        """Eager where the network cannot be captured."""
        try:
            graphs = CudaGraphsEngine(precision=self.precision).prepare(classifier, example)
            self._gate(graphs, classifier, example)
        except ConfigError as error:
            log.info("engine=auto: %s", error)
            return self._eager(classifier, example)
        return graphs

    def _is_short(self) -> bool:
        extent = self.extent
        if extent.n_pictures is None or extent.batch_size is None:
            return False
        return extent.n_pictures < FEW_BATCHES * extent.batch_size

    def _compiled_if_it_pays(
        self, known: Forward, classifier: nn.Module, example: NDArray[np.uint8], batch_size: int
    ) -> Forward:
        """The compiled network where the rest of the run is long and it is faster than `known`."""
        batch = np.resize(example, (batch_size, *example.shape[1:]))
        with _optional():
            now = seconds_a_picture(known, batch)
            if GAIN * now * (self.extent.n_left or 0) >= COMPILING:
                found = self._compiled(classifier, example)
                return found if seconds_a_picture(found, batch) < now else known
        return known

    def _compiled(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        engine = CompiledEngine(
            precision=self.precision, batch_size=self.extent.batch_size, cache_dir=self.cache_dir
        )
        forward = engine.prepare(classifier, example)
        self._gate(forward, classifier, example)
        return forward

    def _gate(self, forward: Forward, classifier: nn.Module, example: NDArray[np.uint8]) -> None:
        gate(forward, classifier, example, tolerance=self.tolerance, precision=self.precision)

    def _eager(
        self, classifier: nn.Module, example: NDArray[np.uint8], reason: str = ""
    ) -> Forward:
        forward = EagerEngine(precision=self.precision).prepare(classifier, example)
        forward.note = reason
        return forward

    def _openvino_fits(self, classifier: nn.Module) -> bool:
        if device_of(classifier).type != "cpu" or self.precision != "fp32":
            return False
        if any(getattr(module, "runs_elsewhere", False) for module in classifier.modules()):
            return False
        if find_spec("openvino") is None:
            log.info("engine=auto: faster with OpenVINO: %s", install_extra("openvino"))
            return False
        return True

    def _openvino(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        engine = OpenVINOEngine(cache_dir=self.cache_dir, model_identity=self.model_identity)
        forward = engine.prepare(classifier, example)
        self._gate(forward, classifier, example)
        return forward
