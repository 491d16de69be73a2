"""Microsoft's ONNX Runtime, on the CPU."""

from pathlib import Path
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
from oodbench.engines.pooled import PooledForward

NAME = "onnxruntime"
_FILE = "model.onnx"
_INPUT, _OUTPUT = "images", "logits"


class ONNXRuntimeEngine(ExportingEngine):
    """Exports the classifier, normalisation inside, and computes single pictures on one core each.

    Args:
        precision: fp32.
        cache_dir: folder of exported models.
        model_identity: see `oodbench.engines.store.ExportStore`.

    Raises:
        ConfigError: ONNX Runtime is not installed, or another precision is asked for.
    """

    name = NAME
    libraries = ("onnx", "onnxruntime")

    def __init__(
        self,
        *,
        precision: str = "fp32",
        cache_dir: str = ".cache/engines",
        model_identity: str | None = None,
    ) -> None:
        self.onnx = imported("onnx", engine=NAME, extra="onnx")
        self.runtime = imported("onnxruntime", engine=NAME, extra="onnx")
        if precision != "fp32":
            raise ConfigError(
                f"engine.precision={precision}: engine=onnxruntime has fp32 only: use engine=eager"
            )
        super().__init__(precision=precision, cache_dir=cache_dir, model_identity=model_identity)

    def forward(self, folder: Path, example: NDArray[np.uint8]) -> PooledForward:
        """See `ExportingEngine`."""
        logits = _Logits(self._session(folder / _FILE))
        return PooledForward(
            NAME,
            logits.of_pixels,
            logits.of_images,
            streams=torch.get_num_threads(),
            example=example,
        )

    def _session(self, file: Path) -> Any:
        """One thread per picture, and no idle threads that spin."""
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return self.runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def export(self, classifier: nn.Module, example: NDArray[np.uint8], folder: Path) -> None:
        """See `ExportingEngine`."""
        file = str(folder / _FILE)
        with exporting(classifier, NAME):
            torch.onnx.export(
                classifier,
                (export_example(example, 1),),
                file,
                input_names=[_INPUT],
                output_names=[_OUTPUT],
                dynamo=False,
            )
        if not self.onnx.load(file, load_external_data=False).graph.input:
            raise leaves_pytorch(classifier, NAME)


class _Logits:
    """Of single pictures; a session may be used in several threads at once."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def of_pixels(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of uint8 `(1, H, W, 3)`."""
        planes = np.ascontiguousarray(picture.transpose(0, 3, 1, 2))
        return self._run(planes.astype(np.float32) / np.float32(255))

    def of_images(self, images: Tensor) -> NDArray[np.float32]:
        """Of float32 `(N, 3, H, W)` in [0, 1]."""
        pictures = images.contiguous().numpy()
        return np.concatenate([self._run(pictures[i : i + 1]) for i in range(len(pictures))])

    def _run(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = self._session.run([_OUTPUT], {_INPUT: picture})[0]
        return logits
