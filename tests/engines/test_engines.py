"""Every engine gives the classifier's own logits."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import engine_toys
import numpy as np
import pytest
import torch
from configs import composed
from engine_toys import Bessel, Lite, Softmax, classifier, expected, pictures
from torch import nn

from oodbench.core.errors import ConfigError
from oodbench.core.schema import EngineConfig
from oodbench.engines.base import Forward
from oodbench.engines.choose import computes_gradients, prepared
from oodbench.models.build import build_classifier
from oodbench.models.onnx_network import onnx_network
from oodbench.sweeps.catalogue import load_model

TARGETS = {
    "auto": "oodbench.engines.auto.AutoEngine",
    "compiled": "oodbench.engines.compiled.CompiledEngine",
    "eager": "oodbench.engines.eager.EagerEngine",
    "onnxruntime": "oodbench.engines.onnxruntime.ONNXRuntimeEngine",
    "openvino": "oodbench.engines.openvino.OpenVINOEngine",
    "failing": "engine_toys.Failing",
    "logits_only": "engine_toys.LogitsOnly",
    "shifted": "engine_toys.Shifted",
    "trusted": "engine_toys.Trusted",
}
QUICK = ["auto", "eager", "onnxruntime", "openvino"]
EXPORTED = ["onnxruntime", "openvino"]


def engine(
    name: str,
    model: nn.Module,
    folder: Path,
    *,
    example: Any = None,
    attack: bool = False,
    identity: str | None = None,
    **settings: Any,
) -> Forward:
    backend = {"_target_": TARGETS[name], **settings.pop("backend", {})}
    return prepared(
        EngineConfig(name=name, backend=backend, **settings),
        model,
        pictures(4) if example is None else example,
        cache_dir=folder,
        model_identity=identity,
        attack=attack,
    )


@pytest.mark.parametrize("name", QUICK)
def test_logits_of_several_batches_in_flight(name: str, tmp_path: Path) -> None:
    model = classifier()
    forward = engine(name, model, tmp_path)
    assert forward.note == ""
    assert forward.depth >= 2
    batches = [pictures(size) for size in (5, 5, 1, 3)]  # the last one is odd
    pending = [forward.start(batch) for batch in batches]
    for batch, started in zip(batches, pending, strict=True):
        found = started.result()
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected(model, batch), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "used"),
    [("auto", "openvino"), ("eager", "eager"), ("openvino", "openvino")],
)
def test_the_name_is_that_of_the_engine_that_computes(name: str, used: str, tmp_path: Path) -> None:
    assert engine(name, classifier(), tmp_path).name == used


@pytest.mark.parametrize("name", QUICK)
def test_float_images(name: str, tmp_path: Path) -> None:
    model = classifier()
    images = torch.rand(3, 3, engine_toys.SIDE, engine_toys.SIDE)
    with torch.inference_mode():
        wanted = model(images).numpy()
    found = engine(name, model, tmp_path).logits(images)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.slow
def test_the_compiled_engine(tmp_path: Path) -> None:
    """The same in one test: it compiles for seconds, the second time for none."""
    test_logits_of_several_batches_in_flight("compiled", tmp_path)
    test_float_images("compiled", tmp_path)


@pytest.mark.parametrize("name", QUICK)
def test_a_network_that_lacks_a_class(name: str, tmp_path: Path) -> None:
    model = classifier(lambda: Lite(21843), classes="imagenet_21k_google")
    forward = engine(name, model, tmp_path)
    assert forward.note == ""
    found, wanted = forward.start(pictures(2)).result(), expected(model, pictures(2))
    assert np.isneginf(wanted).sum() == 2
    assert (np.isneginf(found) == np.isneginf(wanted)).all()
    finite = np.isfinite(wanted)
    np.testing.assert_allclose(found[finite], wanted[finite], atol=1e-4)


@pytest.mark.parametrize("name", QUICK)
def test_a_network_that_gives_probabilities(name: str, tmp_path: Path) -> None:
    model = classifier(Softmax, outputs="probabilities")
    forward = engine(name, model, tmp_path)
    assert forward.note == ""
    found = forward.start(pictures(2)).result()
    np.testing.assert_allclose(found, expected(model, pictures(2)), atol=1e-4)


@pytest.mark.parametrize("name", EXPORTED)
def test_logits_do_not_depend_on_the_batch(name: str, tmp_path: Path) -> None:
    forward = engine(name, classifier(), tmp_path)
    pixels = pictures(5)
    together = forward.start(pixels).result()
    single = [forward.start(pixels[i : i + 1]).result() for i in range(5)]
    assert (together == np.concatenate(single)).all()


@pytest.mark.parametrize("name", EXPORTED)
def test_an_operator_that_does_not_export_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=rf"engine={name}: toy .*special_bessel_j0.*=eager$"):
        engine(name, classifier(Bessel), tmp_path, identity="bessel")
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().out == ""


def test_an_engine_that_fails_on_the_first_pictures(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="engine=eager fails on the first pictures: out of luck"):
        engine("failing", classifier(), tmp_path)


def test_auto_falls_back_where_the_model_does_not_export(tmp_path: Path) -> None:
    model = classifier(Bessel)
    forward = engine("auto", model, tmp_path)
    assert forward.name == "eager"
    assert forward.note.startswith("engine=auto used eager: ")
    assert "special_bessel_j0" in forward.note
    found = forward.start(pictures(2)).result()
    np.testing.assert_allclose(found, expected(model, pictures(2)), atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_auto_leaves_a_network_of_another_runtime_to_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inner = classifier().network
    file = tmp_path / "net.onnx"
    torch.onnx.export(inner, (torch.rand(1, 3, 40, 40),), str(file), dynamo=False)
    model = classifier(lambda: onnx_network(weights_file=str(file)))
    forward = engine("auto", model, tmp_path)
    assert (forward.name, forward.note) == ("eager", "")
    assert caplog.messages == []
    found = forward.start(pictures(3)).result()
    np.testing.assert_allclose(found, expected(model, pictures(3)), atol=1e-4)
    for name in EXPORTED:
        with pytest.raises(ConfigError, match=f"engine={name}: toy .* outside PyTorch"):
            engine(name, model, tmp_path)


@pytest.mark.parametrize(("name", "extra"), [("openvino", "openvino"), ("onnxruntime", "onnx")])
def test_an_engine_that_is_not_installed_names_the_extra(
    name: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=rf"pip install -e '\.\[{extra}\]'"):
        engine(name, classifier(), tmp_path)


def test_auto_is_eager_where_openvino_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    forward = engine("auto", classifier(), tmp_path)
    assert (forward.name, forward.note) == ("eager", "")


def test_auto_is_eager_with_an_attack(tmp_path: Path) -> None:
    forward = prepared(
        composed("engine=auto").engine,
        classifier(),
        pictures(4),
        cache_dir=tmp_path,
        model_identity=None,
        attack=True,
    )
    assert (forward.name, forward.note) == ("eager", "")


@pytest.mark.parametrize(
    ("name", "gradients"),
    [
        ("auto", False),
        ("compiled", True),
        ("eager", True),
        ("logits_only", False),
        ("onnxruntime", False),
        ("openvino", False),
        ("shifted", True),
    ],
)
def test_an_engine_says_whether_it_has_gradients(name: str, gradients: bool) -> None:
    node = EngineConfig(name=name, backend={"_target_": TARGETS[name]})
    assert computes_gradients(node) == gradients


def test_gradients_are_asked_of_the_engine_that_computes_under_attack() -> None:
    assert computes_gradients(composed("engine=auto").engine)
    missing = EngineConfig(name="mine", backend={"_target_": "no.such.Engine"})
    assert computes_gradients(missing)


def test_an_engine_that_needs_no_gate_is_not_held_against_eager(tmp_path: Path) -> None:
    found = engine("trusted", model := classifier(), tmp_path).start(pictures(2)).result()
    np.testing.assert_allclose(found, expected(model, pictures(2)) + 0.01, atol=1e-4)


def test_an_engine_with_other_logits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a logit differs by 0\.01 .*tolerance=0\.001"):
        engine("shifted", classifier(), tmp_path)
    engine("shifted", classifier(), tmp_path, tolerance=0.02)


def test_auto_falls_back_from_an_engine_with_other_logits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oodbench.engines.auto.OpenVINOEngine", lambda **_: engine_toys.Shifted())
    model = classifier()
    forward = engine("auto", model, tmp_path)
    assert "a logit differs by 0.01" in forward.note
    found = forward.start(pictures(2)).result()
    np.testing.assert_allclose(found, expected(model, pictures(2)), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("eager", {"precision": "tf32"}, "precision=tf32: needs a CUDA device"),
        ("auto", {"precision": "tf32"}, "precision=tf32: needs a CUDA device"),
        ("onnxruntime", {"precision": "bf16"}, "engine=onnxruntime has fp32 only"),
        ("openvino", {"precision": "tf32"}, "precision=tf32: OpenVINO has none"),
        ("shifted", {"precision": "bf16"}, r"engine_toys\.Shifted computes in fp32 only"),
        ("eager", {"precision": "bf16", "attack": True}, "attacks are computed in float32"),
        ("eager", {"backend": {"streams": 3}}, r"unknown key engine\.backend\.streams"),
    ],
)
def test_what_an_engine_cannot_do(
    name: str, settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        engine(name, classifier(), tmp_path, **settings)


def test_bfloat16_is_near(tmp_path: Path) -> None:
    model = classifier()
    found = engine("eager", model, tmp_path, precision="bf16").start(pictures(4)).result()
    apart = np.abs(found - expected(model, pictures(4))).max()
    assert 1e-3 < apart < 1.0


def test_the_number_of_threads_is_pytorchs(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        forward = engine("eager", classifier(), tmp_path, threads=4)
        assert torch.get_num_threads() == 4
        assert forward.depth == 3  # two streams of two threads, and one batch that waits
    finally:
        torch.set_num_threads(before)


def test_a_forward_pass_is_kept_as_long_as_its_classifier(tmp_path: Path) -> None:
    model = classifier()
    first = engine("openvino", model, tmp_path)
    assert engine("openvino", model, tmp_path) is first
    assert engine("openvino", model, tmp_path, example=pictures(2, 60)) is not first
    gone = weakref.ref(first)
    del first, model
    gc.collect()
    assert gone() is None


INTERRUPTED = """
import gc, signal, sys
from engine_toys import classifier, pictures
from oodbench.engines.openvino import OpenVINOEngine

kept = []
for number in range(4):
    model = classifier()
    engine = OpenVINOEngine(cache_dir=f"{sys.argv[1]}/{number}")
    kept.append((model, engine, engine.prepare(model, pictures(2))))
    del model, engine
while kept:
    del kept[0]
    gc.collect()
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.slow
def test_ctrl_c_after_engines_that_are_gone(tmp_path: Path) -> None:
    """With one OpenVINO core an engine this was a segmentation fault."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    line = [sys.executable, "-c", INTERRUPTED, str(tmp_path)]
    said = subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout
    assert said == "interrupted\n" * 4


@pytest.mark.parametrize("name", EXPORTED)
def test_an_exported_model_is_kept_on_disk(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine(name, classifier(), tmp_path, identity="toy")
    (folder,) = tmp_path.iterdir()
    export = "torch.jit.trace" if name == "openvino" else "torch.onnx.export"
    with monkeypatch.context() as no_export:
        no_export.setattr(export, None)
        model = classifier()
        found = engine(name, model, tmp_path, identity="toy").start(pictures(2)).result()
    np.testing.assert_allclose(found, expected(model, pictures(2)), atol=1e-4)
    for file in folder.glob("model.*"):
        file.write_bytes(file.read_bytes()[:-7] + b"damaged")
    model = classifier()
    found = engine(name, model, tmp_path, identity="toy").start(pictures(2)).result()
    np.testing.assert_allclose(found, expected(model, pictures(2)), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["efficientnet_lite0", "resnet50"])
def test_networks_of_the_table(architecture: str, tmp_path: Path) -> None:
    config = load_model(architecture, ["model.weights={random_seed: 0}"])
    model = build_classifier(config, weights_files=[])
    engine_toys.settle(model.network, config.input_size)
    model.eval()
    pixels = pictures(4, config.input_size)
    wanted = expected(model, pixels)
    assert wanted.std() > 0.1
    for name in ("eager", "openvino", "onnxruntime"):
        found = engine(name, model, tmp_path, example=pixels).start(pixels).result()
        np.testing.assert_allclose(found, wanted, atol=1e-4 * max(1, np.abs(wanted).max()))


NO_COMPILER = """
from engine_toys import classifier, pictures
from oodbench.engines.compiled import CompiledEngine
from oodbench.core.errors import ConfigError
try:
    CompiledEngine().prepare(classifier(), pictures(2))
except ConfigError as error:
    print(error)
"""


@pytest.mark.slow
def test_torch_compile_without_a_compiler(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "CXX": "/no/such/compiler",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    line = [sys.executable, "-c", NO_COMPILER]
    said = subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout
    assert said.startswith("engine=compiled needs a compiler (g++ or clang")
    assert said.count("\n") == 1
