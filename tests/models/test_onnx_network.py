"""A graph written with onnx's own helper, against the same numbers in torch."""

import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from torch.nn import functional as F

from oodbench.core.errors import ConfigError, WeightsError
from oodbench.models.classifier import Classifier
from oodbench.models.onnx_network import onnx_network

GENERATOR = torch.Generator().manual_seed(0)
KERNEL = torch.randn(4, 3, 3, 3, generator=GENERATOR)
WEIGHT = torch.randn(1000, 4, generator=GENERATOR)
BIAS = torch.randn(1000, generator=GENERATOR)


def in_torch(images: Tensor) -> Tensor:
    return F.linear(F.conv2d(images, KERNEL).mean((2, 3)), WEIGHT, BIAS)


def graph(shape: list[Any], *, elements: int = TensorProto.FLOAT, more: int = 0) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["maps"], kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["maps"], ["means"]),
        helper.make_node("Flatten", ["means"], ["features"]),
        helper.make_node("Gemm", ["features", "weight", "bias"], ["logits"], transB=1),
    ]
    tensors = {"kernel": KERNEL, "weight": WEIGHT, "bias": BIAS}
    inputs = [helper.make_tensor_value_info("images", elements, shape)]
    inputs += [helper.make_tensor_value_info(f"x{i}", elements, [1]) for i in range(more)]
    outputs = [
        helper.make_tensor_value_info("logits", elements, [shape[0], 1000]),
        helper.make_tensor_value_info("features", elements, [shape[0], 4]),
    ]
    return helper.make_model(
        helper.make_graph(
            nodes,
            "net",
            inputs,
            outputs,
            [numpy_helper.from_array(t.numpy(), name) for name, t in tensors.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def saved(folder: Path, shape: list[Any], **others: Any) -> str:
    path = folder / "net.onnx"
    onnx.save(graph(shape, **others), path)
    return str(path)


@pytest.mark.parametrize("batch", ["N", 1, 2, 3, 8])
def test_outputs_are_those_of_torch_whatever_the_batch_of_the_graph(
    tmp_path: Path, batch: int | str
) -> None:
    network = onnx_network(weights_file=saved(tmp_path, [batch, 3, 8, 8]))
    images = torch.rand(5, 3, 8, 8)
    found = network(images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, in_torch(images), rtol=0, atol=1e-5)


def test_within_a_classifier_and_inference_mode(tmp_path: Path) -> None:
    network = onnx_network(weights_file=saved(tmp_path, ["N", 3, "H", "W"]))
    classifier = Classifier(network, mean=[0.5, 0.4, 0.3], std=[0.2, 0.2, 0.1])
    images = torch.rand(2, 3, 9, 7)
    normalised = (images - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / torch.tensor(
        [0.2, 0.2, 0.1]
    ).view(3, 1, 1)
    classifier.check_outputs(8)
    with torch.inference_mode():
        torch.testing.assert_close(classifier(images), in_torch(normalised), rtol=0, atol=1e-4)


def test_a_gradient_is_refused_in_one_line(tmp_path: Path) -> None:
    network = onnx_network(weights_file=saved(tmp_path, ["N", 3, 8, 8]))
    images = torch.rand(1, 3, 8, 8, requires_grad=True)
    with pytest.raises(ConfigError, match=r"net.onnx: an ONNX file has no gradients"):
        network(images)
    with torch.no_grad():
        assert network(images).shape == (1, 1000)


def test_another_size_of_picture_names_the_keys(tmp_path: Path) -> None:
    network = onnx_network(weights_file=saved(tmp_path, ["N", 3, 8, 8]))
    with pytest.raises(ConfigError, match=r"height 8, found 9: set model.input_size=8 and prepro"):
        network(torch.rand(1, 3, 9, 8))


@pytest.mark.parametrize(
    ("shape", "others", "found"),
    [
        (["N", 8, 8, 3], {}, r"images tensor\(float\) \['N', 8, 8, 3\]"),
        (["N", 3, 8, 8], {"more": 1}, r"images .*, x0 tensor\(float\) \[1\]"),
    ],
)
def test_another_input_is_refused(
    tmp_path: Path, shape: list[Any], others: Any, found: str
) -> None:
    model = graph(["N", 3, 8, 8], **others)
    if shape[1] != 3:
        # Channels last: transposed first, as TensorFlow's exporter does.
        model.graph.node[0].input[0] = "channels_first"
        node = helper.make_node("Transpose", ["images"], ["channels_first"], perm=[0, 3, 1, 2])
        model.graph.node.insert(0, node)
        model.graph.input[0].CopyFrom(
            helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)
        )
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(ConfigError, match=rf"one input, tensor\(float\) \(N, 3, .* found: {found}"):
        onnx_network(weights_file=str(tmp_path / "net.onnx"))


def test_tensors_in_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(
        graph(["N", 3, 8, 8]),
        path,
        save_as_external_data=True,
        location="net.data",
        size_threshold=0,
    )
    with pytest.raises(WeightsError, match=r"net.onnx: keeps tensors in other files: save it as"):
        onnx_network(weights_file=str(path))
    onnx.save(onnx.load(path), tmp_path / "one.onnx")
    images = torch.rand(1, 3, 8, 8)
    found = onnx_network(weights_file=str(tmp_path / "one.onnx"))(images)
    torch.testing.assert_close(found, in_torch(images), rtol=0, atol=1e-5)


def test_what_is_no_onnx_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(WeightsError, match="cannot be read as ONNX") as caught:
        onnx_network(weights_file=str(path))
    assert "\n" not in str(caught.value)
    with pytest.raises(WeightsError, match="set weights.file=PATH"):
        onnx_network()


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, ["N", 3, 8, 8])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        ConfigError, match=r"package onnxruntime: in the clone .*pip install -e '\.\[onnx\]'"
    ):
        onnx_network(weights_file=path)
