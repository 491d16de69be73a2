"""Which engine a config means. Imports no torch: the run key asks."""

from typing import Any

AUTO = "oodbench.engines.auto.AutoEngine"
EAGER = "oodbench.engines.eager.EagerEngine"

WITHOUT_GRADIENTS = (
    "oodbench.engines.openvino.OpenVINOEngine",
    "oodbench.engines.onnxruntime.ONNXRuntimeEngine",
)
"""Engines that compute logits only."""


def engine_target(backend: dict[str, Any], *, attack: bool) -> Any:
    """Dotted name of the engine's class: with an attack, `auto` is eager.

    An attack needs gradients, which eager computes anyway, and its steps follow the last bits.

    Args:
        backend: `engine.backend` of the config.
        attack: whether the pictures are attacked.
    """
    target = backend.get("_target_")
    return EAGER if attack and target == AUTO else target
