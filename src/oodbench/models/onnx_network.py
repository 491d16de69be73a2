"""A network that an ONNX file holds, run by onnxruntime."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from oodbench.core.errors import ConfigError, WeightsError, one_line
from oodbench.core.extras import install_extra


def onnx_network(*, weights_file: str | None = None) -> nn.Module:
    """The network of an ONNX file.

    Args:
        weights_file: path of a self-contained `.onnx` file with one float32 input `(N, 3, H, W)`,
            whose first output is `(N, M)`.

    Raises:
        WeightsError: no file, an unreadable one, or one whose tensors lie in other files.
        ConfigError: onnx or onnxruntime is not installed, or the input is another one.
    """
    if weights_file is None:
        raise WeightsError("an ONNX file is its own weights: set weights.file=PATH")
    return OnnxNetwork(Path(weights_file))


class OnnxNetwork(nn.Module):
    """Images in, the graph's first output out. Has no parameters and no gradients.

    Attributes:
        runs_elsewhere: than in PyTorch: there is nothing to export for another engine.
    """

    runs_elsewhere = True

    def __init__(self, path: Path) -> None:
        """Read the graph; the arguments and errors are those of `onnx_network`."""
        super().__init__()
        self.path = path
        self.runtime = _imported("onnxruntime")
        _refuse_external_data(path)
        self.sessions: dict[str, Any] = {}
        session = self._session("cpu")
        self.input, self.shape = _only_input(session, path)

    def forward(self, images: Tensor) -> Tensor:
        """The first output for normalised float32 images `(N, 3, H, W)`, on their device.

        A graph made for batches of one size is fed batches of that size, the last one padded.

        Raises:
            ConfigError: a gradient is asked for, or the graph takes another size of picture.
        """
        if images.requires_grad and torch.is_grad_enabled():
            raise ConfigError(
                f"{self.path}: an ONNX file has no gradients, which this attack needs: use "
                "attack=square, which asks for predictions only, or the network in PyTorch"
            )
        for axis, side in ((2, "height"), (3, "width")):
            wanted = self.shape[axis]
            if isinstance(wanted, int) and wanted != images.shape[axis]:
                raise ConfigError(
                    f"{self.path}: takes pictures of {side} {wanted}, found {images.shape[axis]}: "
                    f"set model.input_size={wanted} and preprocessing=timm"
                )
        size = self.shape[0] if isinstance(self.shape[0], int) else max(len(images), 1)
        batches = (images[start : start + size] for start in range(0, len(images), size))
        return torch.cat([self._run(batch, size) for batch in batches])

    def _run(self, images: Tensor, size: int) -> Tensor:
        count = len(images)
        if isinstance(self.shape[0], int) and count < size:
            images = torch.cat([images, images[-1:].expand(size - count, -1, -1, -1)])
        pixels = images.detach().float().contiguous().cpu().numpy()
        session = self._session(images.device.type)
        found = session.run([session.get_outputs()[0].name], {self.input: pixels})[0]
        return torch.from_numpy(found)[:count].float().to(images.device)

    def _session(self, device: str) -> Any:
        if device not in self.sessions:
            options = self.runtime.SessionOptions()
            options.intra_op_num_threads = torch.get_num_threads()
            wanted = ["CUDAExecutionProvider"] if device == "cuda" else []
            available = self.runtime.get_available_providers()
            providers = [*(p for p in wanted if p in available), "CPUExecutionProvider"]
            try:
                self.sessions[device] = self.runtime.InferenceSession(
                    str(self.path), options, providers=providers
                )
            except Exception as error:  # onnxruntime's errors have no common class
                raise _unreadable(self.path, error) from None
        return self.sessions[device]


def _imported(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise ConfigError(
            f"model=onnx needs the package {module}: {install_extra('onnx')}"
        ) from None


def _refuse_external_data(path: Path) -> None:
    """The run key holds the hash of this one file, so all tensors must be in it."""
    onnx = _imported("onnx")
    try:
        graph = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's errors differ by version
        raise _unreadable(path, error) from None
    helper = _imported("onnx.external_data_helper")
    if any(helper.uses_external_data(tensor) for tensor in helper._get_all_tensors(graph)):
        raise WeightsError(
            f"{path}: keeps tensors in other files: save it as one with onnx.save(onnx.load(PATH), "
            "NEW_PATH)"
        )


def _only_input(session: Any, path: Path) -> tuple[str, list[int | str | None]]:
    inputs = session.get_inputs()
    described = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
    first = inputs[0] if len(inputs) == 1 else None
    if first is None or first.type != "tensor(float)" or len(first.shape) != 4:
        fits = False
    else:
        fits = first.shape[1] == 3 or not isinstance(first.shape[1], int)
    if first is None or not fits:
        raise ConfigError(
            f"{path}: must have one input, tensor(float) (N, 3, height, width); found: {described}"
        )
    return first.name, list(first.shape)


def _unreadable(path: Path, error: Exception) -> WeightsError:
    reason = one_line(error, 200)
    return WeightsError(f"{path}: cannot be read as ONNX: {reason}")
