"""Intel's OpenVINO, which is the fastest on the CPU."""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodbench.core.errors import ConfigError
from oodbench.engines.exporting import (
    ExportingEngine,
    export_example,
    exporting,
    imported,
    leaves_pytorch,
)
from oodbench.engines.pooled import WAITING, PooledForward

NAME = "openvino"
_PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_CAPABILITIES = {"bf16": "BF16", "fp16": "FP16"}
_FILE = "model.xml"


class OpenVINOEngine(ExportingEngine):
    """See `ExportingEngine`.

    Args:
        precision: fp32, or bf16 and fp16 on processors that have them.
        cache_dir: folder of exported models.
        model_identity: see `oodbench.engines.store.ExportStore`.

    Raises:
        ConfigError: OpenVINO is not installed, or has no such precision here.
    """

    name = NAME
    libraries = ("openvino",)

    def __init__(
        self,
        *,
        precision: str = "fp32",
        cache_dir: str = ".cache/engines",
        model_identity: str | None = None,
    ) -> None:
        # Without this module OpenVINO neither reports over the network nor forks to do so.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        self.openvino = imported("openvino", engine=NAME, extra="openvino")
        self.core = _core()
        super().__init__(
            precision=_checked(precision, self.core),
            cache_dir=cache_dir,
            model_identity=model_identity,
        )

    def forward(self, folder: Path, example: NDArray[np.uint8]) -> PooledForward:
        """See `ExportingEngine`."""
        compiled = self._compiled(self._from_pixels(folder / _FILE))
        streams = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        return PooledForward(
            NAME,
            _Requests(compiled, streams),
            _FloatLogits(lambda: self._compiled(self.core.read_model(folder / _FILE))),
            streams=streams,
            example=example,
        )

    def export(self, classifier: nn.Module, example: NDArray[np.uint8], folder: Path) -> None:
        """See `ExportingEngine`."""
        images = export_example(example, 1)
        with exporting(classifier, NAME):
            trace: Any = torch.jit.trace
            traced = trace(classifier, images, check_trace=False)
            model = _converted(traced, images)
            if not model.inputs or not model.inputs[0].get_target_inputs():
                raise leaves_pytorch(classifier, NAME)
            model.reshape([1, *images.shape[1:]])
            self.openvino.save_model(model, folder / _FILE, compress_to_fp16=False)

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


@cache
def _core() -> Any:
    """One for the life of the process.

    Its CPU plugin sets the stack that signals are handled on and takes it away at its end. When
    several end in another order than the reverse of their start, the stack that is left in place
    is not there any more, and the next Ctrl-C is a segmentation fault.
    """
    import openvino

    return openvino.Core()


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
