"""Intel's OpenVINO, which is the fastest on the CPU."""

import sys
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.engines.base import Forward
from oodbench.engines.exporting import (
    check_device,
    export_example,
    exporting,
    facts_of,
    imported,
    kept_forward,
    leaves_pytorch,
    size_of,
)
from oodbench.engines.pooled import WAITING, PooledForward
from oodbench.engines.store import ExportStore
from oodbench.errors import ConfigError

NAME = "openvino"
_PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_CAPABILITIES = {"bf16": "BF16", "fp16": "FP16"}
_FILE = "model.xml"


class OpenVINOEngine:
    """Exports the classifier, normalisation inside, and computes single pictures on one core each.

    Args:
        precision: fp32, or bf16 and fp16 on processors that have them.
        cache_dir: folder of exported models.
        model_identity: see `oodbench.engines.store.ExportStore`.

    Raises:
        ConfigError: OpenVINO is not installed, or has no such precision here.
    """

    def __init__(
        self,
        *,
        precision: str = "fp32",
        cache_dir: str = ".cache/engines",
        model_identity: str | None = None,
    ) -> None:
        # Without this module OpenVINO reports nothing over the network, nor forks to do so.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        self.openvino = imported("openvino", engine=NAME, extra="openvino")
        self.core = self.openvino.Core()
        self.precision = _checked(precision, self.core)
        self.store = ExportStore(Path(cache_dir), model_identity)

    def prepare(self, classifier: nn.Module, example: NDArray[np.uint8]) -> Forward:
        """A forward pass, see `oodbench.engines.base.Engine`.

        Raises:
            ConfigError: the classifier is not on the CPU, or does not export.
            OSError: there is no room for the exported model.
        """
        check_device(classifier, NAME)
        settings = (NAME, example.shape[1:], self.precision, torch.get_num_threads())
        label = repr((settings, self.store.model_identity))
        return kept_forward(classifier, label, lambda: self._made(classifier, example))

    def _made(self, classifier: nn.Module, example: NDArray[np.uint8]) -> PooledForward:
        folder = self.store.get(
            lambda folder: self._export(classifier, example, folder / _FILE),
            libraries=("openvino",),
            facts=facts_of(example, format=NAME),
            size=size_of(classifier),
        )
        with exporting(classifier, NAME):
            compiled = self._compiled(self._from_pixels(folder / _FILE))
            streams = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
            return PooledForward(
                NAME,
                _Requests(compiled, streams),
                _FloatLogits(lambda: self._compiled(self.core.read_model(folder / _FILE))),
                streams=streams,
                example=example,
            )

    def _export(self, classifier: nn.Module, example: NDArray[np.uint8], file: Path) -> None:
        images = export_example(example, 1)
        with exporting(classifier, NAME):
            trace: Any = torch.jit.trace
            traced = trace(classifier, images, check_trace=False)
            model = _converted(traced, images)
            if not model.inputs or not model.inputs[0].get_target_inputs():
                raise leaves_pytorch(classifier, NAME)
            model.reshape([1, *images.shape[1:]])
            self.openvino.save_model(model, file, compress_to_fp16=False)

    def _from_pixels(self, file: Path) -> Any:
        """The exported model with its input changed to uint8 `(1, H, W, 3)`."""
        model = self.core.read_model(file)
        steps = self.openvino.preprocess.PrePostProcessor(model)
        layout = self.openvino.Layout
        steps.input().tensor().set_element_type(self.openvino.Type.u8).set_layout(layout("NHWC"))
        steps.input().model().set_layout(layout("NCHW"))
        steps.input().preprocess().convert_element_type(self.openvino.Type.f32).scale(255.0)
        return steps.build()

    def _compiled(self, model: Any) -> Any:
        settings = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "INFERENCE_PRECISION_HINT": _PRECISIONS[self.precision],
        }
        return self.core.compile_model(model, "CPU", settings)


def _converted(traced: Any, images: Tensor) -> Any:
    """As `openvino.convert_model` does it, whose other steps are not needed here."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    reader = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced, example_input=images)
    return reader.convert(reader.load(decoder))


def _checked(precision: str, core: Any) -> str:
    if precision == "fp32":
        return precision
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if _CAPABILITIES.get(precision) not in able:
        raise ConfigError(
            f"engine.precision={precision}: OpenVINO has none on this processor: use fp32"
        )
    return precision


class _Requests:
    """Logits of single pictures, each computed in a request that no other thread has."""

    def __init__(self, compiled: Any, streams: int) -> None:
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(streams + WAITING):
            self._free.put(compiled.create_infer_request())

    def __call__(self, picture: NDArray[Any]) -> NDArray[np.float32]:
        request = self._free.get()
        try:
            (logits,) = request.infer([picture], share_inputs=True).values()
            found: NDArray[np.float32] = logits.copy()
        finally:
            self._free.put(request)
        return found


class _FloatLogits:
    """Logits of float images; the model for them is compiled when the first ones come."""

    def __init__(self, compile_model: Callable[[], Any]) -> None:
        self._compile = compile_model
        self._request: _Requests | None = None

    def __call__(self, images: Tensor) -> NDArray[np.float32]:
        if self._request is None:
            self._request = _Requests(self._compile(), 1)
        pictures = images.contiguous().numpy()
        return np.concatenate([self._request(pictures[i : i + 1]) for i in range(len(pictures))])
