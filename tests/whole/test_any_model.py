"""Networks of other makers on the command line: heads of other classes, ONNX, transformers."""

import json
import subprocess
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from toys import WNIDS, Cli
from transformers import ViTConfig, ViTForImageClassification

from oodbench.reference import imagenet_wnids


def result(folder: Path, done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("outputs/runs/*/*/*/result.json")
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_a_head_that_lacks_classes_says_which(toy: Path, cli: Cli) -> None:
    """The toy network's first outputs, declared as the classes of its folder but one."""
    (toy / "classes.txt").write_text("\n".join(["background", *WNIDS[1:], "n00004475"]) + "\n")
    code = (toy / "toy_network.py").read_text()
    (toy / "toy_network.py").write_text(code.replace("1000", "6"))
    found = result(toy, cli("model=toy", "model.classes=classes.txt"))
    (note,) = found["notes"]
    named = [wnid for wnid in imagenet_wnids() if wnid not in WNIDS[1:]][:10]
    assert note == (
        f"the network has no output for 996 of the 1000 classes ({', '.join(named)}, …): they are "
        "never predicted"
    )
    # A fifth of the pictures is of the class that it lacks.
    assert 0 < found["scores"][""]["top1"]["value"] <= 0.8


def test_probabilities_are_refused_unless_declared(toy: Path, cli: Cli) -> None:
    code = (toy / "toy_network.py").read_text()
    (toy / "toy_network.py").write_text(code.replace(".flatten(1))", ".flatten(1)).softmax(1)"))
    done = cli("model=toy")
    assert done.returncode == 1
    assert "model toy: its outputs are probabilities: set model.outputs=prob" in done.stderr
    result(toy, cli("model=toy", "model.outputs=probabilities"))


def write_onnx(path: Path) -> None:
    """Logits: mean colours through a fixed matrix."""
    weight = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0)).numpy()
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["images"], ["means"]),
            helper.make_node("Flatten", ["means"], ["features"]),
            helper.make_node("Gemm", ["features", "weight"], ["logits"], transB=1),
        ],
        "net",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [4, 3, 32, 32])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [4, 1000])],
        [numpy_helper.from_array(weight, "weight")],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def test_onnx_file(toy: Path, cli: Cli) -> None:
    write_onnx(toy / "mine.onnx")
    model = ("model=onnx", "weights.file=mine.onnx", "model.input_size=32", "preprocessing=timm")
    found = result(toy, cli(*model))
    assert found["model"] == "mine"
    assert found["n_images"] == 60
    assert "done already" in cli(*model).stderr
    done = cli(*model, "benchmark=adversarial", "limit=1")
    assert done.returncode == 1
    assert "mine.onnx: an ONNX file has no gradients, which this attack needs" in done.stderr


def test_transformers_folder(toy: Path, cli: Cli) -> None:
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        num_labels=1000,
    )
    ViTForImageClassification(config).save_pretrained(toy / "vit")
    settings = {"size": 32, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (toy / "vit" / "preprocessor_config.json").write_text(json.dumps(settings))
    model = ("model=transformers", "model.repository=vit", "preprocessing=timm")
    found = result(toy, cli(*model))
    assert (found["model"], found["n_images"], found["notes"]) == ("vit", 60, [])
    (toy / "vit").rename(toy / "elsewhere")
    moved = cli("model=transformers", "model.repository=elsewhere", "preprocessing=timm")
    keys = {path.name for path in toy.glob("outputs/runs/*/*/*")}
    assert moved.returncode == 0
    assert len(keys) == 1


def test_a_bare_name_of_timm_says_which_weights(toy: Path, cli: Cli) -> None:
    done = cli("model=timm", "model.timm_name=test_resnet", "model.weights.random_seed=0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "model.timm_name=test_resnet: timm" in done.stdout + done.stderr
    assert "takes test_resnet.r160_in1k, the first of its tags" in done.stdout + done.stderr
    assert list(toy.glob("outputs/runs/*/test_resnet.r160_in1k"))
